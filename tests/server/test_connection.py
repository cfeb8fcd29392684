"""`ServerConnection`: pauses, ends and exceptions, in orders that are not often met."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from attacked_connection import BoomError, Scripted, Wire
from echoproto.server.connection import ServerConnection
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import eventually
from telnet_bytes import EOF, HELLO, NOP

# What the random sequences found, and what they are not likely to


def connected(protocol, kind="plain", **kwargs):
    """A protocol on a wire, which is given what a test says."""
    wire = Wire()
    protocol.telnet = "always" if kind == "telnet" else "never"
    wire.protocol = ServerConnection(protocol, LineFactory(registry=Registry(), **kwargs))
    wire.protocol.makeConnection(wire)
    return wire


def test_a_pause_that_ends_at_once_changes_no_order_after_half_closing():
    protocol = Scripted([[], ["half-close", "blink"]], "always")
    wire = connected(protocol, "telnet")
    wire.arriving += [b"one\r\ntwo\r\n" + NOP + b"three\r\n"]
    wire.settle()
    assert protocol.delivered == [b"one", b"two", NOP, b"three"]


@pytest.mark.parametrize("kind", ["plain", "telnet"])
@pytest.mark.parametrize("pauses", [[], ["pause"]], ids=["at once", "paused"])
@pytest.mark.parametrize("how", ["close", "abort", "stop"])
def test_nothing_is_delivered_once_it_has_closed_in_the_middle_of_a_chunk(kind, pauses, how):
    protocol = Scripted([[], [*pauses, how]], "always" if kind == "telnet" else "never")
    wire = connected(protocol, kind)
    wire.protocol.dataReceived(b"one\r\ntwo\r\n" + NOP * (kind == "telnet") + b"three\r\n")
    wire.protocol.resumeProducing()
    wire.protocol.dataReceived(b"four\r\n")
    wire.settle()
    assert wire.lost
    wire.protocol.resumeProducing()
    assert protocol.delivered == [b"one"]


def test_what_was_held_is_lost_with_the_connection():
    protocol = Scripted([[], ["pause"]], "never")
    wire = connected(protocol)
    wire.arriving += [b"one\r\ntwo\r\n"]
    wire.settle()
    wire.lose(ConnectionLost())
    wire.protocol.resumeProducing()
    assert protocol.delivered == [b"one"]


def test_what_comes_after_telnets_eof_is_not_kept():
    protocol = Scripted([], "always")
    wire = connected(protocol, "telnet")
    for _ in range(100):
        wire.protocol.dataReceived(EOF + b"x" * 10_000)
    assert len(wire.protocol.stack.telnet.pending) < 20_000


def test_to_stop_is_to_close():
    protocol = Scripted([[], ["write"]], "never")
    wire = connected(protocol)
    protocol.stopProducing()
    wire.arriving += [b"line\r\n"]
    wire.settle()
    assert wire.lost
    assert wire.protocol.closed_by_us
    assert protocol.delivered == []


# What a protocol raises


@implementer(IHandshakeListener)
class Raises(LineProtocol):
    """Raises in one of its callbacks."""

    where = ""

    def call(self, name, *args):
        if name == self.where:
            raise BoomError
        if name not in ("lineReceived", "handshakeCompleted"):
            getattr(LineProtocol, name)(self, *args)

    def lineReceived(self, line):
        self.call("lineReceived")
        if line == b"half-close":
            self.transport.loseWriteConnection()

    def telnetStarted(self):
        self.call("telnetStarted")

    def telnetCommandReceived(self, command):
        self.call("telnetCommandReceived", command)

    def handshakeCompleted(self):
        self.call("handshakeCompleted")

    def peerHalfClosed(self):
        self.call("peerHalfClosed")

    def writeConnectionLost(self):
        self.call("writeConnectionLost")

    def connectionLost(self, reason):
        self.call("connectionLost", reason)


class Told:
    """An observer that keeps why connections were lost."""

    def __init__(self):
        self.reasons = []

    def connected(self, connection):
        pass

    def telnet_started(self, connection):
        pass

    def disconnected(self, connection, reason):  # noqa: ARG002
        self.reasons.append(reason.value)


CALLBACKS = ["lineReceived", "telnetStarted", "telnetCommandReceived", "peerHalfClosed",
             "connectionLost"]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "is_tls"),
    [(where, is_tls) for where in CALLBACKS for is_tls in (False, True)]
    + [("handshakeCompleted", True), ("writeConnectionLost", False)],
)
def test_what_a_protocol_raises_ends_its_connection_and_is_logged_once(
    running, contexts, where, is_tls
):
    told = Told()
    tls = contexts[0] if is_tls else None
    factory = LineFactory(type("Raising", (Raises,), {"where": where}), Registry([told]), tls)
    port = running.listen(running.keep(factory))
    client, other = running.connect(port), running.connect(port)
    try:
        peer = TLSPeer(client) if is_tls else client
        if is_tls:
            peer.handshake()
        peer.sendall(HELLO + NOP + b"one\r\n" + b"half-close\r\n" * (not is_tls))
        if where in ("peerHalfClosed", "connectionLost"):
            client.shutdown(socket.SHUT_WR)
        while client.recv(1 << 16):
            pass
    except OSError:
        pass  # reset
    if where == "writeConnectionLost":
        client.close()
    eventually(lambda: told.reasons, "the connection is lost")
    errors = eventually(running.logged, "the error is logged")
    assert [type(error) for error in errors] == [BoomError]
    assert len(told.reasons) == 1
    running.accepted()
    assert len(factory.registry.connections) == 1  # the other
    other.close()
    eventually(lambda: len(told.reasons) == 2, "the other is lost")
    if where in ("handshakeCompleted", "peerHalfClosed", "connectionLost"):
        running.call(lambda: None)  # what follows in the same turn is done
        running.logged()
