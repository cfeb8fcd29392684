"""The rows of the table of how a connection ends, on real connections.

A scenario is one way to end. Each is played on every kind of connection that has it, on both
reactors; and all together take every row of the table.
"""

from __future__ import annotations

from concurrent.futures import Future
from itertools import product
from threading import Thread

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone

from echoproto.server import ending
from echoproto.server.ending import ENDING, LINGER, State
from ending_world import (
    EVERYWHERE,
    MUCH,
    ON_TELNET,
    ON_TLS,
    SHORT,
    WITH_ROWS_OF_OUR_OWN,
    Client,
    StaysOpen,
    World,
)
from support import DEADLINE, receive_all
from telnet_bytes import EOF, HELLO, NOP

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


SCENARIOS = []


def plays(*kinds, linger=LINGER):
    """Declare a scenario: a function of a World. `linger` replaces LINGER."""

    def declare(function):
        SCENARIOS.extend((function, kind, linger) for kind in kinds)
        return function

    return declare


@plays(*EVERYWHERE)
def the_peer_half_closes(world):
    client, protocol = world.dial()
    client.send(b"one\ntwo\nthree")
    client.end()
    assert client.hears_the_end() == b"one\r\ntwo\r\n"
    client.close()
    told = world.is_lost(protocol, ConnectionDone)
    told_by = ["half-closed"] * (world.kind != "twisted's tls")  # whose close_notify ends both ways
    assert told == [b"one", b"two", *told_by]
    assert not protocol.transport.closed_by_us or not told_by


@plays(*EVERYWHERE)
def the_peer_closes(world):
    client, protocol = world.dial()
    client.send(b"one\n")
    client.hears(b"one\r\n")
    client.close()
    assert world.is_lost(protocol) in ([b"one"], [b"one", "half-closed"])
    assert not protocol.transport.closed_by_us


@plays("tcp", "tls", "twisted's tls", "telnet", "telnet on tls")
def the_peer_resets(world):
    client, protocol = world.dial()
    client.send(b"one\n")
    client.hears(b"one\r\n")
    client.reset()
    assert world.is_lost(protocol) == [b"one"]
    assert not isinstance(protocol.lost.result(), ConnectionDone)
    assert not protocol.transport.closed_by_us


@plays(*ON_TELNET)
def the_peer_sends_eof_and_then_answers_as_plink_does(world):
    client, protocol = world.dial()
    client.send(b"one\r\n" + EOF + HELLO + b"two\r\n")
    client.hears(b"one\r\n")
    client.send(b"\xff\xfc\x03" * 1000)
    assert client.hears_the_end() == b""
    client.send(b"\xff\xfc\x03" * 1000)
    client.end()
    assert receive_all(client.sock) == b""
    assert world.is_lost(protocol, ConnectionDone) == [b"one", "half-closed"]


@plays(*ON_TELNET, linger=SHORT)
def the_peer_sends_eof_and_never_ends(world):
    client, protocol = world.dial()
    client.send(b"one\r\n" + EOF)
    assert client.hears_the_end() == b"one\r\n"
    assert world.is_lost(protocol, ConnectionDone) == [b"one", "half-closed"]


@plays(*ON_TLS, linger=SHORT)
def the_protocol_has_paused_when_it_closes_and_the_peer_never_ends(world):
    client, protocol = world.dial()
    client.send(b"pause\n")
    world.waits_for(protocol, b"pause")
    client.send(b"two\n")
    world.call(protocol.transport.write, b"bye")
    world.call(protocol.transport.loseConnection)
    assert client.hears_the_end() == b"bye"
    assert world.is_lost(protocol, ConnectionDone) == [b"pause"]


@plays(*ON_TELNET)
def the_peer_sends_eof_and_the_protocol_goes_on(world):
    client, protocol = world.dial(StaysOpen)
    client.send(b"one\r\n" + EOF + b"two\r\n")
    world.waits_for(protocol, "half-closed")
    world.call(protocol.sendLine, b"still here")
    client.hears(b"one\r\nstill here\r\n")
    world.call(protocol.transport.loseConnection)
    assert client.hears_the_end() == b""
    client.end()
    assert world.is_lost(protocol, ConnectionDone) == [b"one", "half-closed"]


@plays(*ON_TELNET)
def the_peer_sends_eof_and_half_closes_and_the_protocol_goes_on(world):
    client, protocol = world.dial(StaysOpen)
    client.send(b"one\r\n" + EOF + b"two\r\n")
    client.end()
    world.waits_for(protocol, "half-closed")
    world.call(protocol.sendLine, b"still here")
    client.hears(b"one\r\nstill here\r\n")
    wait_for_state(world, protocol, State.NOTIFIED)
    world.call(protocol.transport.loseConnection)
    assert client.hears_the_end() == b""
    client.close()
    assert world.is_lost(protocol, ConnectionDone) == [b"one", "half-closed"]


@plays(*EVERYWHERE)
def we_close(world):
    client, protocol = world.dial()
    client.send(b"one\nclose\nmore\n")
    assert client.hears_the_end() == b"one\r\nbye\r\n"
    if world.is_tls:
        client.send(b"and more\n")
        client.end()
        assert receive_all(client.sock) == b""
    assert world.is_lost(protocol, ConnectionDone) == [b"one", b"close"]
    assert protocol.transport.closed_by_us


@plays(*ON_TLS, linger=SHORT)
def we_close_and_the_peer_never_answers(world):
    client, protocol = world.dial()
    client.send(b"one\nclose\nmore\n")
    assert client.hears_the_end() == b"one\r\nbye\r\n"
    assert receive_all(client.sock) == b""
    assert world.is_lost(protocol, ConnectionDone) == [b"one", b"close"]


@plays(*EVERYWHERE)
def we_close_with_much_unread(world):
    client, protocol = world.dial()
    client.send(b"flood\n")
    world.waits_for(protocol, b"flood")
    world.call(protocol.transport.loseConnection)
    assert client.hears_the_end() == MUCH
    client.close()
    assert world.is_lost(protocol, ConnectionDone) == [b"flood"]


@plays(*WITH_ROWS_OF_OUR_OWN)
def we_half_close(world):
    client, protocol = world.dial()
    client.send(b"half-close\nmore\n")
    # Twisted's transports still take what is written in the same turn.
    assert client.hears_the_end() in (b"", b"more\r\n")
    client.send(b"and more\n")
    client.end()
    assert receive_all(client.sock) == b""
    told = world.is_lost(protocol, ConnectionDone)
    assert told == [b"half-close", b"more", b"and more", "half-closed"]


def pausing(world, *, resumes):
    """Lines, and commands between them, and the end: while the protocol has paused."""
    client, protocol = world.dial()
    nop, found = (NOP, [NOP]) if world.is_telnet else (b"", [])
    client.send(b"one\npause\n" + nop + b"two\n" + nop + b"three\npause\n" + nop + b"four\nrest")
    client.end()
    for number in range(resumes):
        world.waits_for(protocol, b"pause")
        assert protocol.calls.count(b"pause") == number + 1
        protocol.waits.clear()
        world.call(protocol.resumeProducing)
    assert client.hears_the_end() == b"one\r\ntwo\r\nthree\r\nfour\r\n"
    client.close()
    told = world.is_lost(protocol, ConnectionDone)
    expected = [b"one", b"pause", *found, b"two", *found, b"three", b"pause", *found, b"four"]
    assert told == [*expected, "half-closed"]


@plays(*WITH_ROWS_OF_OUR_OWN)
def the_peer_half_closes_while_the_protocol_has_paused(world):
    pausing(world, resumes=2)


@plays("twisted's tls")
def a_peer_of_twisteds_tls_half_closes_while_the_protocol_has_paused(world):
    client, protocol = world.dial()
    client.send(b"one\npause\ntwo\n")
    world.waits_for(protocol, b"pause")
    client.tls.end_tcp()
    world.call(protocol.resumeProducing)
    assert client.hears_the_end() == b"one\r\ntwo\r\n"
    assert world.is_lost(protocol) == [b"one", b"pause", b"two", "half-closed"]


@plays(*WITH_ROWS_OF_OUR_OWN)
def the_peer_half_closes_and_the_protocol_holds_lines(world):
    for then in ["resume", "close", "abort"]:
        client, protocol = world.dial()
        client.send(b"one\nhold\ntwo\n")
        client.end()
        client.hears(b"one\r\n")
        wait_for_state(world, protocol, State.ENDED)
        if then == "resume":
            world.call(protocol.resumeProducing)
            assert client.hears_the_end() == b"two\r\n"
            client.close()
            assert world.is_lost(protocol) == [b"one", b"hold", b"two", "half-closed"]
        elif then == "close":
            world.call(protocol.transport.loseConnection)
            assert client.hears_the_end() == b""
            client.close()
            assert world.is_lost(protocol, ConnectionDone) == [b"one", b"hold"]
        else:
            world.call(protocol.transport.abortConnection)
            assert world.is_lost(protocol, ConnectionAborted) == [b"one", b"hold"]
        world.call(protocol.resumeProducing)
        assert protocol.calls[-1] == "lost"


@plays(*ON_TELNET)
def the_peer_sends_eof_and_the_protocol_holds_lines(world):
    for then in ["resume", "close", "end", "abort", "reset"]:
        client, protocol = world.dial()
        client.send(b"one\r\nhold\r\ntwo\r\n" + EOF + b"three\r\n")
        client.hears(b"one\r\n")
        wait_for_state(world, protocol, State.EOF)
        match then:
            case "resume":
                world.call(protocol.resumeProducing)
                assert client.hears_the_end() == b"two\r\n"
                client.end()
            case "close":
                world.call(protocol.transport.loseConnection)
                assert client.hears_the_end() == b""
                client.end()
            case "end":
                client.end()
                wait_for_state(world, protocol, State.ENDED)
                world.call(protocol.resumeProducing)
                assert client.hears_the_end() == b"two\r\n"
                client.close()
            case "abort":
                world.call(protocol.transport.abortConnection)
            case "reset":
                client.reset()
        answered = [b"two", "half-closed"] * (then in ("resume", "end"))
        assert world.is_lost(protocol) == [b"one", b"hold", *answered]
        world.call(protocol.resumeProducing)
        assert protocol.calls[-1] == "lost"


@plays(*WITH_ROWS_OF_OUR_OWN)
def a_protocol_sends_much_after_the_peer_has_half_closed(world):
    client, protocol = world.dial(StaysOpen)
    client.send(b"one\n")
    client.end()
    world.waits_for(protocol, "half-closed")
    world.call(protocol.transport.write, MUCH)
    world.call(protocol.sendLine, b"last")
    world.call(protocol.transport.loseConnection)
    assert client.hears_the_end() == b"one\r\n" + MUCH + b"last\r\n"
    client.close()
    assert world.is_lost(protocol, ConnectionDone) == [b"one", "half-closed"]


def wait_for_state(world, protocol, state):
    """Wait until the end has come so far."""
    connection = protocol.transport
    wait_until(world, lambda: connection.ending is not None and connection.ending.state is state)


def wait_until(world, condition):
    """Poll a condition in each turn of the reactor until it holds."""
    reached = Future()

    def look():
        if condition():
            reached.set_result(None)
        else:
            world.running.reactor.callLater(0.001, look)

    world.call(look)
    reached.result(DEADLINE)


@plays(*EVERYWHERE)
def a_peer_never_reads(world):
    for then in ["reset", "abort", "close, then abort"]:
        client, protocol = world.dial()
        client.send(b"flood\n")
        world.waits_for(protocol, b"flood")
        assert world.call(lambda protocol=protocol: protocol.transport.paused)
        if then == "reset":
            client.reset()
            world.call(protocol.sendLine, b"notice")
        if then.startswith("close"):
            world.call(protocol.transport.loseConnection)
        if then.endswith("abort"):
            world.call(protocol.transport.abortConnection)
        assert world.is_lost(protocol) == [b"flood"]


@plays(*WITH_ROWS_OF_OUR_OWN)
def it_is_cut_off_after_the_peer_has_ended(world):
    """By us, or by the peer, which we notice at the latest when we write."""
    ways = [Client.end, lambda client: client.send(EOF)][: 1 + world.is_telnet]
    for end, cut, holds in product(ways, ["abort", "reset"], [False, True]):
        client, protocol = world.dial(StaysOpen)
        client.send(b"hold\r\nmore\r\n" * holds)
        end(client)
        if holds:
            wait_for_state(world, protocol, State.ENDED if end is Client.end else State.EOF)
        else:
            world.waits_for(protocol, "half-closed")
        if cut == "abort":
            world.call(protocol.transport.abortConnection)
        else:
            client.reset()
            keep_writing(world, protocol)
        assert world.is_lost(protocol) == [b"hold" if holds else "half-closed"]


def keep_writing(world, protocol):
    def write():
        if not protocol.lost.done():
            protocol.transport.write(b"x" * 100_000)
            world.running.reactor.callLater(0.001, write)

    world.call(write)


@plays(*ON_TLS)
def it_is_cut_off_while_it_lingers(world):
    for cut in ["abort", "reset"]:
        client, protocol = world.dial()
        client.send(b"close\n")
        assert client.hears_the_end() == b"bye\r\n"
        if cut == "abort":
            world.call(protocol.transport.abortConnection)
        else:
            client.reset()
        assert world.is_lost(protocol) == [b"close"]


@plays(*WITH_ROWS_OF_OUR_OWN)
def much_is_unread_at_the_end(world):
    client, protocol = world.dial()
    lines = b"".join(b"%0999d\r\n" % number for number in range(5000))
    tls = client.tls
    wire = tls.encrypt(lines) + tls.encrypted_end() if tls else lines

    def send():
        client.sock.sendall(wire)
        if not tls:
            client.end()

    thread = Thread(target=send)
    thread.start()
    wait_until(world, lambda: protocol.transport.paused)
    assert client.hears_the_end() == lines
    thread.join(DEADLINE)
    client.close()
    told = world.is_lost(protocol, ConnectionDone)
    assert told == [*lines.split(), "half-closed"]


def play(running, scenario, certificate, tmp_path, monkeypatch):
    function, kind, linger = scenario
    monkeypatch.setattr(ending, "LINGER", linger)
    folder = tmp_path / str(len(list(tmp_path.iterdir())))  # the path of a socket is to be short
    folder.mkdir()
    world = World(running, kind, certificate, folder)
    try:
        function(world)
    finally:
        world.close()


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, id=f"{each[0].__name__}-{each[1]}") for each in SCENARIOS],
)
def test_it_ends_well_when(running, scenario, certificate, tmp_path, monkeypatch):
    play(running, scenario, certificate, tmp_path, monkeypatch)


def test_every_row_of_the_table_is_taken_by_a_real_connection(
    running, certificate, tmp_path, monkeypatch
):
    class Table(dict):
        def get(self, row, default):
            if row in self:
                taken.add(row)
            return super().get(row, default)

    taken = set()
    monkeypatch.setattr(ending, "ENDING", Table(ENDING))
    for scenario in SCENARIOS:
        play(running, scenario, certificate, tmp_path, monkeypatch)
        if taken == ENDING.keys():
            break  # the scenarios that are left are the longest
    assert ENDING.keys() - taken == set()
