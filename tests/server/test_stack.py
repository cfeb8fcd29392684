"""`Stack`: the layers of a connection in their order, and what becomes of their events."""

from __future__ import annotations

import ssl
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from attacked_connection import Wire
from echoproto.server.connection import ServerConnection
from echoproto.server.factory import LineFactory
from echoproto.server.registry import Observer, Registry
from echoproto.wire.layer import DataReceived, Ended, Reply
from echoproto.wire.tls import TLS
from telnet_bytes import DO, HELLO, IAC, NO_THANKS, NOP, TIMING_MARK, WILL
from telnet_clients import Recorder, connected

MARK, MARK_ANSWER = IAC + DO + TIMING_MARK, IAC + WILL + TIMING_MARK


class Reasons(Observer):
    """Keeps why connections were lost."""

    def __init__(self):
        self.reasons = []

    def disconnected(self, connection, reason):  # noqa: ARG002
        self.reasons.append(reason.value)


class CountingWire(Wire):
    """A transport that counts how often it is written to."""

    writes = 0

    def write(self, data):
        self.writes += 1
        super().write(data)


class SecureClient:
    """A TLS client in memory, joined to the connection of a protocol."""

    def __init__(self, contexts, protocol=None):
        ours, theirs = contexts
        self.protocol = protocol or Recorder()
        self.observer, self.wire = Reasons(), CountingWire()
        factory = LineFactory(registry=Registry([self.observer]), tls=ours)
        self.connection = ServerConnection(self.protocol, factory)
        self.connection.makeConnection(self.wire)
        self.tls = TLS(theirs, server_side=False)
        self.heard, self.has_ended = b"", False
        self.take(b"")

    def take(self, data):
        """Take what the server has sent, and answer it, until neither side has more to say."""
        for event in self.tls.receive(data):
            match event:
                case Reply(wire):
                    self.connection.dataReceived(wire)
                case DataReceived(plain):
                    self.heard += plain
                case Ended():
                    self.has_ended = True
        if data := self.wire.value():
            self.wire.clear()
            self.take(data)

    def send(self, *chunks):
        """Send each chunk as a record of its own, all of them in one piece."""
        self.connection.dataReceived(b"".join(map(self.tls.send, chunks)))

    def hears(self):
        """All that has come since it was last asked."""
        self.take(b"")
        heard, self.heard = self.heard, b""
        return heard


def test_telnet_is_inside_tls(contexts):
    client = SecureClient(contexts)
    client.send(b"pl\xff\xffain\r\n", HELLO + b"o\xff\xffne\r\0")
    assert client.protocol.calls == [b"pl\xff\xffain", b"o\xffne"]
    client.protocol.sendLine(b"\xff")
    assert client.hears() == NO_THANKS + b"\xff\xff\r\n"


def test_a_client_that_is_not_telnet_leaves_no_layer_behind():
    protocol, wire = connected(None, b"one\n")
    connection = protocol.transport
    assert connection.stack is None
    connection.dataReceived(b"\xff")
    assert connection.stack is not None
    connection.dataReceived(b"a\n")
    assert connection.stack is None
    connection.dataReceived(HELLO + b"\n")
    assert protocol.calls == [b"one", b"\xffa", HELLO]
    assert wire.value() == b""


def test_on_tls_a_client_that_is_not_telnet_leaves_only_the_layer_of_tls(contexts):
    client = SecureClient(contexts)
    client.send(b"\xffa\n", HELLO + b"\n")
    assert client.protocol.calls == [b"\xffa", HELLO]
    assert client.connection.stack.telnet is None
    assert client.connection.stack.tls is not None
    client.protocol.sendLine(b"\xff")
    assert client.hears() == b"\xff\r\n"


def test_what_is_written_while_a_chunk_is_taken_leaves_in_one_write(contexts):
    client = SecureClient(contexts)
    client.send(HELLO)
    client.hears()
    before = client.wire.writes
    client.send(*[MARK + b"line\n"] * 100)
    assert client.wire.writes == before + 1
    assert client.hears() == MARK_ANSWER * 100
    assert client.protocol.calls == [b"line"] * 100


def test_what_comes_behind_a_pause_waits_in_the_layers(contexts):
    client = SecureClient(contexts)
    client.send(HELLO + b"pause\n" + NOP, b"two\n" + MARK, b"three\n")
    assert client.protocol.calls == [b"pause"]
    assert client.hears() == NO_THANKS
    client.send(b"four\n")
    assert client.protocol.calls == [b"pause"]
    client.protocol.resumeProducing()
    calls = [call for call in client.protocol.calls if isinstance(call, bytes)]
    assert calls == [b"pause", b"two", b"three", b"four"]
    assert client.hears() == MARK_ANSWER


def test_what_is_no_tls_is_the_reason_why_the_connection_is_lost(contexts):
    client, protocol = SecureClient(contexts), Recorder()
    connection = ServerConnection(protocol, client.connection.factory)
    wire = Wire()
    connection.makeConnection(wire)
    connection.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
    assert wire.disconnecting
    connection.connectionLost(Failure(ConnectionDone()))
    (reason,) = client.observer.reasons
    assert isinstance(reason, ssl.SSLError)
    assert reason.reason == "HTTP_REQUEST"
    assert protocol.calls == []


def test_once_we_have_closed_only_the_client_s_close_notify_counts(contexts):
    client = SecureClient(contexts)
    client.send(b"close\nsame record\n", b"same chunk\n")
    client.take(b"")
    assert client.has_ended
    client.send(b"later\n")
    assert client.protocol.calls == [b"close"]
    assert not client.wire.disconnecting
    client.connection.dataReceived(client.tls.finish())
    assert client.wire.disconnecting


@pytest.mark.parametrize("telnet", ["auto", "never"])
@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from([b"one\n", b"two", b"\r", b"\xff", b"\xff\xff", HELLO, NOP, MARK]),
        min_size=1,
        max_size=10,
    ),
    st.lists(st.integers(1, 300), max_size=6),
)
def test_however_records_are_cut_the_protocol_is_told_the_same_as_without_tls(
    contexts, telnet, chunks, cuts
):
    plain = Recorder()
    plain.telnet = telnet
    _, sent = connected(plain, *chunks)
    secure = Recorder()
    secure.telnet = telnet
    client = SecureClient(contexts, secure)
    wire = b"".join(map(client.tls.send, chunks))
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    for start, end in pairwise(edges):
        client.connection.dataReceived(wire[start:end])
    assert secure.calls == plain.calls
    assert client.hears() == sent.value()
