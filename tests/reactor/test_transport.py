"""Receiving: pauses, and which protocol gets the data."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.protocols.portforward import ProxyFactory

from reactor.running import HalfCloseable, Recorder
from support import DEADLINE, eventually, receive_all

MUCH = bytes(range(256)) * 40_000


class Paused(Recorder):
    """It reads nothing until it is told to."""

    def connectionMade(self):
        self.transport.pauseProducing()


class PausedHalfCloseable(HalfCloseable, Paused):
    """The same, and it can half-close."""


def turns(running, count=3):
    """Let the reactor look at its sockets a few times."""
    for _ in range(count):
        running.call(lambda: None)


def test_what_arrives_comes_whole_and_in_order(running):
    client, protocol = running.pair(Recorder)
    client.sendall(MUCH)
    client.shutdown(socket.SHUT_WR)
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.received == MUCH


@pytest.mark.parametrize("early", [True, False])
def test_a_pause_when_connected_holds_all_until_it_ends(running, early):
    port = running.listen(Paused)
    with running.connect(port) as client:
        if early:
            client.sendall(b"one ")
        protocol = running.accepted()
        turns(running)
        client.sendall(b"two")
        turns(running)
        assert protocol.received == b""
        running.call(protocol.transport.resumeProducing)
        turns(running)
        assert protocol.received == (b"one two" if early else b"two")
    assert isinstance(protocol.why_lost(), ConnectionDone)


def test_after_a_pause_when_connected_nothing_is_lost_or_out_of_order(running):
    client, protocol = running.pair(Paused)
    sending = Thread(target=lambda: (client.sendall(MUCH), client.close()))
    sending.start()
    for _ in range(5):
        turns(running)
        running.call(protocol.transport.resumeProducing)
        running.call(protocol.transport.pauseProducing)
    running.call(protocol.transport.resumeProducing)
    assert isinstance(protocol.why_lost(), ConnectionDone)
    sending.join(DEADLINE)
    assert protocol.received == MUCH


def test_what_was_held_back_comes_before_the_end(running):
    port = running.listen(Paused)
    for _ in range(20):
        client = running.connect(port)
        client.sendall(b"one")
        client.shutdown(socket.SHUT_WR)
        protocol = running.accepted()
        turns(running)
        running.call(protocol.transport.resumeProducing)
        protocol.why_lost()
        assert protocol.received == b"one"


@pytest.mark.parametrize("protocol", [Paused, PausedHalfCloseable])
def test_a_pause_when_connected_holds_the_end_back_too(running, protocol):
    port = running.listen(protocol)
    for _ in range(5):
        client = running.connect(port)
        client.shutdown(socket.SHUT_WR)
        paused = running.accepted()
        turns(running)
        assert paused.calls == []
        running.call(paused.transport.resumeProducing)
        eventually(lambda: paused.calls, "the end")  # noqa: B023


def test_a_pause_holds_the_end_back_too(running):
    client, protocol = running.pair(HalfCloseable)
    turns(running)
    running.call(protocol.transport.pauseProducing)
    client.sendall(b"one")
    client.shutdown(socket.SHUT_WR)
    turns(running)
    assert (protocol.received, protocol.calls) == (b"", [])
    running.call(protocol.transport.resumeProducing)
    protocol.read_lost.result(DEADLINE)
    assert protocol.received == b"one"


def test_a_pause_within_data_received_takes_effect_at_once(running):
    class Sips(Recorder):
        def dataReceived(self, data):
            assert not self.paused
            self.paused = True
            self.transport.pauseProducing()
            super().dataReceived(data)
            running.reactor.callLater(0, self.resume)

        def resume(self):
            self.paused = False
            self.transport.resumeProducing()

        paused = False

    client, protocol = running.pair(Sips)
    client.sendall(MUCH)
    client.close()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.received == MUCH


def test_pause_and_resume_may_be_repeated(running):
    client, protocol = running.pair(Recorder)
    for method in ("pauseProducing", "pauseProducing", "resumeProducing", "resumeProducing"):
        running.call(getattr(protocol.transport, method))
    client.sendall(b"one")
    client.close()
    protocol.why_lost()
    assert protocol.received == b"one"


def test_a_pause_and_its_end_within_connection_made_is_no_pause(running):
    class Hesitates(Recorder):
        def connectionMade(self):
            self.transport.pauseProducing()
            self.transport.resumeProducing()

    client, protocol = running.pair(Hesitates)
    client.sendall(b"one")
    client.close()
    protocol.why_lost()
    assert protocol.received == b"one"


def test_resuming_after_the_end_of_the_client_does_not_tell_of_it_twice(running):
    client, protocol = running.pair(HalfCloseable)
    client.shutdown(socket.SHUT_WR)
    protocol.read_lost.result(DEADLINE)
    turns(running)
    running.call(protocol.transport.loseConnection)
    protocol.why_lost()
    assert protocol.calls == ["read lost", "lost"]


def test_the_rest_goes_to_the_protocol_that_the_transport_is_given(running):
    class Upgrades(Recorder):
        def dataReceived(self, data):
            super().dataReceived(data)
            self.transport.protocol = other
            other.makeConnection(self.transport)
            self.transport.write(b"upgraded")

    other = Recorder()
    client, first = running.pair(Upgrades)
    client.sendall(b"upgrade")
    assert client.recv(100) == b"upgraded"
    client.sendall(b"more")
    client.close()
    assert isinstance(other.why_lost(), ConnectionDone)
    assert (first.received, other.received) == (b"upgrade", b"more")
    assert not first.lost.done()


def test_a_protocol_that_is_given_while_paused_gets_what_was_held_back(running):
    client, first = running.pair(Paused)
    turns(running)
    client.sendall(b"one")
    other = Recorder()

    def give():
        first.transport.protocol = other
        other.makeConnection(first.transport)
        first.transport.resumeProducing()

    running.call(give)
    turns(running)
    assert (first.received, other.received) == (b"", b"one")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_port_forwarding_by_twisted_gives_all_both_ways(running):
    class Answers(Protocol):
        def __init__(self):
            self.received = 0

        def dataReceived(self, data):
            self.received += len(data)
            if self.received == len(MUCH):
                self.transport.write(MUCH)
                self.transport.loseConnection()

    behind = running.call(running.listen(Answers).getHost)
    front = running.listen(ProxyFactory("127.0.0.1", behind.port))
    client = running.connect(front)
    sending = Thread(target=client.sendall, args=[MUCH])
    sending.start()
    assert receive_all(client) == MUCH
    sending.join(DEADLINE)
    with suppress(AttributeError):
        client.close()
