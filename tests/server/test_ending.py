"""The end of a connection: the table by itself, and its rows on real connections.

A scenario is one way to end. Each is played on every kind of connection that has it, on both
reactors; and all together take every row of the table.
"""

from __future__ import annotations

import socket
import struct
from concurrent.futures import Future
from itertools import product
from threading import Thread

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock

from echoproto.server import ending
from echoproto.server.ending import ENDING, LINGER, Action, Ending, Event, State
from echoproto.server.factory import LineFactory
from echoproto.server.listener import Listener, make_listener
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import DEADLINE, connect, receive_all, receive_exactly

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

# The table by itself


class Recorded:
    """What has an end, and keeps what it is told to do."""

    def __init__(self):
        self.clock = Clock()
        self.done = []
        self.ending = Ending(self)

    def deliver_end(self):
        self.done.append(Action.DELIVER)

    def notify_end(self):
        self.done.append(Action.NOTIFY)

    def half_close(self):
        self.done.append(Action.HALF_CLOSE)

    def close(self):
        self.done.append(Action.CLOSE)


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_what_happens_does_what_its_row_says_and_without_a_row_nothing(state, event):
    recorded = Recorded()
    recorded.ending.state = state
    recorded.ending.handle(event)
    then, action = ENDING.get((state, event), (state, None))
    assert recorded.ending.state is then
    assert recorded.done == ([action] if action not in (None, Action.WAIT) else [])
    assert len(recorded.clock.getDelayedCalls()) == (action is Action.WAIT)


def test_nothing_leads_away_from_lost():
    assert not [row for row in ENDING if row[0] is State.LOST]


def test_every_state_is_reached_and_leads_to_the_same_end_whatever_happens_first():
    reached = {State.OPEN}
    while more := {ENDING[row][0] for row in ENDING if row[0] in reached} - reached:
        reached |= more
    assert reached == set(State)
    for state in set(State) - {State.LOST}:
        assert ENDING[state, Event.LOST] == (State.LOST, None)
        assert ENDING[state, Event.ABORT] == (State.CLOSING, None)


def test_no_way_leads_back():
    """From a state that was left none returns, so that every end comes to its end."""
    leads = {(before, after) for (before, _), (after, _) in ENDING.items() if before is not after}
    order = [State.OPEN, State.EOF, State.EOF_NOTIFIED, State.ENDED, State.NOTIFIED,
             State.LINGERING, State.CLOSING, State.LOST]  # fmt: skip
    backwards = {(a, b) for a, b in leads if order.index(a) >= order.index(b)}
    assert not backwards


@pytest.mark.parametrize("event", Event)
def test_who_was_first_is_who_left_open(event):
    recorded = Recorded()
    for then in [event, Event.CLOSE, Event.PEER_ENDED, Event.LOST]:
        recorded.ending.handle(then)
    ours = [Event.CLOSE, Event.FINISH, Event.ABORT]
    does_nothing = [Event.DELIVERED, Event.SENT, Event.TIME_UP]
    assert recorded.ending.is_ours == (event in ours + does_nothing)
    assert recorded.ending.first is (Event.CLOSE if event in does_nothing else event)


def test_time_is_up_once_and_not_after_the_connection_was_lost():
    recorded = Recorded()
    for event in [Event.FINISH, Event.SENT, Event.SENT]:
        recorded.ending.handle(event)
    assert len(recorded.clock.getDelayedCalls()) == 1
    recorded.clock.advance(LINGER - 0.1)
    assert recorded.done == [Action.HALF_CLOSE]
    recorded.clock.advance(0.1)
    assert recorded.done == [Action.HALF_CLOSE, Action.CLOSE]

    recorded = Recorded()
    for event in [Event.FINISH, Event.SENT, Event.LOST]:
        recorded.ending.handle(event)
    assert not recorded.clock.getDelayedCalls()


# On real connections

WILL_ECHO, DONT_ECHO = b"\xff\xfb\x01", b"\xff\xfe\x01"
NOP, EOF = b"\xff\xf1", b"\xff\xec"
MUCH = b"x" * 8_000_000  # more than all the buffers between
SHORT = 0.1  # seconds that LINGER is made, where time is to be up

EVERYWHERE = ["tcp", "unix", "tls", "twisted's tls", "telnet", "telnet on tls"]
ON_TELNET = ["telnet", "telnet on tls"]
OVER_OUR_TLS = ["tls", "telnet on tls"]
ON_TLS = [*OVER_OUR_TLS, "twisted's tls"]
WITH_ROWS_OF_OUR_OWN = ["tcp", "unix", "tls", "telnet", "telnet on tls"]


class Recorder(LineProtocol):
    """Keeps what it is told, and answers each line; some lines it acts on."""

    stays_open = False

    def connectionMade(self):
        self.calls = []
        self.lost = Future()
        self.waits = {}

    def tell(self, what):
        assert "lost" not in self.calls
        assert not self.transport.paused
        self.calls.append(what)
        if not self.future(what).done():
            self.future(what).set_result(None)

    def future(self, what):
        return self.waits.setdefault(what, Future())

    def lineReceived(self, line):
        self.tell(line)
        match line:
            case b"pause":
                self.pauseProducing()
            case b"hold":
                self.paused = True  # as a LineReceiver may: the transport reads on
            case b"close":
                self.sendLine(b"bye")
                self.transport.loseConnection()
            case b"half-close":
                self.transport.loseWriteConnection()
            case b"flood":
                self.transport.write(MUCH)
            case _:
                self.sendLine(line)

    def telnetCommandReceived(self, command):
        if command == NOP[1]:
            self.tell(NOP)

    def peerHalfClosed(self):
        self.tell("half-closed")
        if not self.stays_open:
            super().peerHalfClosed()

    def connectionLost(self, reason):
        self.calls.append("lost")
        self.lost.set_result(reason.value)


class StaysOpen(Recorder):
    stays_open = True


class Client:
    """The peer of a connection of one kind."""

    def __init__(self, sock, kind):
        self.sock = sock
        self.tls = TLSPeer(sock) if "tls" in kind else None
        if self.tls:
            self.tls.handshake()
        if "telnet" in kind:
            self.send(WILL_ECHO)
            self.hears(DONT_ECHO)

    def send(self, data):
        (self.tls or self.sock).sendall(data)

    def hears(self, data):
        if self.tls:
            assert self.tls.receive_exactly(len(data)) == data
        else:
            assert receive_exactly(self.sock, len(data)) == data

    def hears_the_end(self):
        """All that comes until the server has ended its side, cleanly."""
        if not self.tls:
            return receive_all(self.sock)
        data = self.tls.receive_all()
        assert self.tls.is_clean
        return data

    def end(self):
        """Half-close."""
        if self.tls:
            self.tls.notify_close()
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class World:
    """A kind of connection on a reactor."""

    def __init__(self, running, kind, certificate, folder):
        self.running, self.kind = running, kind
        self.is_tls = "tls" in kind
        self.is_telnet = "telnet" in kind
        self._certificate, self._folder = certificate, folder
        self._clients = []
        self._ports = 0

    def dial(self, protocol=Recorder):
        """A client, and its protocol."""
        self._ports += 1
        path = self._folder / f"{self._ports}.sock"
        where = f"unix:{path}" if self.kind == "unix" else "tcp:0:interface=127.0.0.1"
        if self.is_tls:
            where = f"ssl:0:interface=127.0.0.1:privateKey={self._certificate}"
        listener = make_listener(self.running.reactor, where)
        if self.kind == "twisted's tls":
            listener = Listener(where, serverFromString(self.running.reactor, where))
        assert (listener.tls is not None) == (self.kind in OVER_OUR_TLS)
        factory = self.running.keep(LineFactory(protocol, Registry(), listener.tls))
        port = self.running.call(listener.endpoint.listen, factory)
        if self.kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            self._clients.append(sock)
            sock.settimeout(DEADLINE)
            sock.connect(str(path))
        else:
            sock = connect(self.running.call(port.getHost).port)
            self._clients.append(sock)
        client = Client(sock, self.kind)
        return client, self.running.accepted().protocol

    def close(self):
        for sock in self._clients:
            sock.close()

    def call(self, function, *args):
        return self.running.call(function, *args)

    def waits_for(self, protocol, what):
        """Wait until the protocol was told it."""
        self.call(protocol.future, what).result(DEADLINE)

    def is_lost(self, protocol, *kinds):
        """Wait until the connection is lost, for one of these reasons."""
        why = protocol.lost.result(DEADLINE)
        if kinds and self.kind != "twisted's tls":  # which makes a reason of its own
            assert isinstance(why, kinds), why
        assert protocol.calls.count("lost") == 1
        assert protocol.calls.count("half-closed") <= 1
        return [what for what in protocol.calls if what != "lost"]


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
    client.send(b"one\r\n" + EOF + WILL_ECHO + b"two\r\n")
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


def wait_for_state(world, protocol, state):
    """Wait until the end has come so far."""
    connection = protocol.transport
    wait_until(world, lambda: connection.ending is not None and connection.ending.state is state)


def wait_until(world, condition):
    """Wait until something holds that gives no event; look at it in each turn of the reactor."""
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
    assert ENDING.keys() - taken == set()
