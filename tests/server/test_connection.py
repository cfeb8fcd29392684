"""`ServerConnection` under attack, by the peer, the transport and the protocol, in any order.

Four rules hold for every sequence: what came before the end is delivered once and in order;
nothing is delivered to a protocol that has paused, closed or lost its connection; the peer's end is
told at most once, after all before it; and `connectionLost` is called once.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, IHandshakeListener
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.server.backpressure import BY_PROTOCOL, BY_TRANSPORT
from echoproto.server.connection import ServerConnection
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from echoproto.wire.layer import Reply
from echoproto.wire.tls import TLS
from reactor.tls_peer import TLSPeer
from support import eventually

IAC_NOP = b"\xff\xf1"
IAC_EOF = b"\xff\xec"
IAC_WILL_ECHO = b"\xff\xfb\x01"
FIN = object()


class BoomError(Exception):
    """What a protocol raises."""


@implementer(IHalfCloseableDescriptor)
class Wire(StringTransport):
    """A transport whose peer, and whose reactor's next turn, are the test's."""

    def __init__(self):
        super().__init__()
        self.reactor = Clock()
        self.arriving = []  # chunks, and FIN
        self.reset = self.aborting = self.lost = False
        self.half_closed = None  # then False, and True once that was told
        self.raised = []

    # What a connection calls; real transports do not mind what is called when

    def pauseProducing(self):
        self.producerState = "paused"

    def resumeProducing(self):
        if not (self.disconnecting or self.aborting):
            self.producerState = "producing"

    def stopProducing(self):
        self.loseConnection()

    def registerProducer(self, producer, streaming):
        if self.lost:
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self):
        self.producer = None

    def loseWriteConnection(self):
        if self.half_closed is None:
            self.half_closed = False

    def abortConnection(self):
        self.aborting = True

    # What the reactor does

    def turn(self):
        """One thing that a reactor would do; False if there is none."""
        if self.lost:
            return False
        if self.aborting:
            self.lose(ConnectionAborted())
        elif self.disconnecting:
            self.lose(ConnectionDone())
        elif self.reset:
            self.lose(ConnectionLost())
        elif self.half_closed is False:
            self.half_closed = True
            self.call(self.protocol.writeConnectionLost)
        elif self.arriving and self.producerState == "producing":
            arrived = self.arriving.pop(0)
            if arrived is FIN:
                self.call(self.protocol.readConnectionLost)
            else:
                self.call(self.protocol.dataReceived, arrived)
        else:
            return False
        return True

    def call(self, function, *args):
        """Call, as a reactor does: what is raised loses the connection."""
        try:
            function(*args)
        except BoomError:
            self.lose(Failure())

    def lose(self, reason):
        if not self.lost:
            self.lost, self.producer = True, None
            with suppress(BoomError):  # which a reactor logs
                self.protocol.connectionLost(
                    reason if isinstance(reason, Failure) else Failure(reason)
                )

    def settle(self):
        while self.turn():
            pass


@implementer(IHandshakeListener)
class Scripted(LineProtocol):
    """In its nth callback it does what its script says of it; it checks the rules."""

    def __init__(self, script, telnet, *, stays_open=False):
        self.script = dict(enumerate(script))
        self.telnet = telnet
        self.stays_open = stays_open
        self.numbers = count()
        self.delivered = []
        self.calls = self.lost = 0
        self.is_closed = False
        self.has_raised = False

    def connectionMade(self):
        self.act()

    def lineReceived(self, line):
        self.deliver(line)

    def telnetCommandReceived(self, command):
        if command == IAC_NOP[1]:
            self.deliver(IAC_NOP)

    def handshakeCompleted(self):
        assert not self.lost
        self.act()

    def deliver(self, what):
        assert not self.is_closed, "delivered after the end"
        assert not self.transport.paused, "delivered while paused"
        self.delivered.append(what)
        self.act()

    def peerHalfClosed(self):
        assert not self.is_closed, "told after the end"
        assert not self.transport.paused, "told while paused"
        self.calls += 1
        self.act()
        if not self.stays_open:
            super().peerHalfClosed()

    def connectionLost(self, reason):  # noqa: ARG002
        self.lost += 1
        self.is_closed = True
        self.act()

    def act(self):
        for action in self.script.pop(next(self.numbers), ()):
            self.do(action)

    def do(self, action):
        transport = self.transport
        match action:
            case "pause":
                self.pauseProducing()
            case "resume":
                self.resumeProducing()
            case "blink":
                transport.pauseProducing()
                transport.resumeProducing()
            case "write":
                transport.write(b"answer")
            case "close":
                self.is_closed = True
                transport.loseConnection()
            case "abort":
                self.is_closed = True
                transport.abortConnection()
            case "stop":
                self.is_closed = True
                self.stopProducing()
            case "half-close":
                transport.loseWriteConnection()
            case "raise":
                self.has_raised = True
                raise BoomError


ACTIONS = st.sampled_from(
    ["pause", "resume", "blink", "write", "close", "abort", "half-close", "stop", "raise"]
)
SCRIPTS = st.lists(st.lists(ACTIONS, max_size=3), max_size=10)
PEER = st.sampled_from(["line", "lines", "mixed", "EOF", "FIN", "reset"])
DOES = st.one_of(
    st.tuples(st.just("peer"), PEER),
    st.tuples(st.just("protocol"), ACTIONS.filter("raise".__ne__)),
    st.tuples(st.just("transport"), st.sampled_from(["full", "empty"])),
    st.tuples(st.just("turn"), st.just("")),
)


class Peer:
    """Sends lines that are numbered, and telnet's NOP between them."""

    def __init__(self, wire, *, telnet=False, tls=None):
        self.wire = wire
        self.telnet = telnet
        self.tls = tls
        self.numbers = count()
        self.sent = []  # what counts: up to telnet's EOF
        self.counts = True
        self.has_ended = self.wants_to_end = False

    def do(self, action):
        if self.has_ended or self.wants_to_end:
            return
        match action:
            case "line":
                self.send(self.line())
            case "lines":
                self.send(self.line() + self.line() + self.line())
            case "mixed":
                self.send(self.line() + self.line() + self.nop() + self.line() + self.nop())
            case "EOF" if self.telnet:
                line = self.line()
                self.send(line + IAC_EOF + b"more\r\n" + IAC_WILL_ECHO + b"more\r\n")
                self.counts = False
            case "FIN":
                self.wants_to_end = True
                if self.tls is None:
                    self.end()
                else:
                    self.put(self.tls.finish())
                    if self.tls.is_finished:
                        self.end()
            case "reset":
                self.wire.reset = self.has_ended = True

    def end(self):
        self.has_ended = True
        self.wire.arriving.append(FIN)

    def line(self):
        return self.counted(b"%d" % next(self.numbers)) + b"\r\n"

    def nop(self):
        return self.counted(IAC_NOP) if self.telnet else b""

    def counted(self, what):
        if self.counts:
            self.sent.append(what)
        return what

    def send(self, data):
        self.put(data if self.tls is None else self.tls.send(data))

    def put(self, wire):
        if wire:
            self.wire.arriving.append(wire)

    def answer(self):
        """What its TLS does with what it is sent."""
        if self.tls is not None:
            data = self.wire.value()
            self.wire.clear()
            for event in self.tls.receive(data):
                if isinstance(event, Reply):
                    self.put(event.data)
            if self.wants_to_end and self.tls.is_finished and not self.has_ended:
                self.end()


@pytest.fixture(scope="module")
def contexts(certificate):
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    return ours, theirs


def play(kind, steps, protocol, contexts):
    """Everyone does what they are told; then the peer, and the reactor, come to an end."""
    ours, theirs = contexts if "tls" in kind else (None, None)
    tls = TLS(theirs, server_side=False) if theirs else None
    wire = Wire()
    peer = Peer(wire, telnet="telnet" in kind, tls=tls)
    connection = ServerConnection(protocol, LineFactory(registry=Registry(), tls=ours))
    wire.protocol = connection
    wire.call(connection.makeConnection, wire)
    peer.answer()
    for who, action in steps:
        if who == "peer":
            peer.do(action)
        elif who == "protocol":
            wire.call(protocol.do, action)
        elif who == "turn":
            wire.turn()
            peer.answer()
        elif wire.producer is not None:
            full = action == "full"
            wire.call(wire.producer.pauseProducing if full else wire.producer.resumeProducing)
    protocol.script.clear()
    peer.do("FIN")
    for _ in range(6):
        if wire.producer is not None and connection.paused & BY_TRANSPORT:
            wire.call(wire.producer.resumeProducing)
        if connection.paused & BY_PROTOCOL and not protocol.is_closed:
            wire.call(protocol.resumeProducing)
        wire.settle()
        peer.answer()
    return wire, peer


pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

KINDS = ["plain", "telnet", "tls", "telnet tls"]


def check(wire, peer, protocol):
    assert protocol.delivered == peer.sent[: len(protocol.delivered)], "in order, once"
    assert protocol.calls <= 1
    if protocol.calls:
        assert protocol.delivered == peer.sent, "all that came before the end"
    if not (protocol.is_closed or protocol.has_raised or wire.reset):
        assert protocol.calls == 1, "the end is told"


@settings(max_examples=150, derandomize=True)
@given(st.lists(DOES, max_size=25), SCRIPTS, st.booleans())
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_the_rules_hold(kind, contexts, steps, script, stays_open):
    protocol = Scripted(script, "always" if "telnet" in kind else "never", stays_open=stays_open)
    wire, peer = play(kind, steps, protocol, contexts)
    if not stays_open or protocol.has_raised or wire.reset:
        assert wire.lost, "the peer has ended: there is nothing to wait for"
    check(wire, peer, protocol)
    wire.lose(ConnectionDone())
    protocol.resumeProducing()
    check(wire, peer, protocol)
    assert protocol.lost == 1
    assert not wire.reactor.getDelayedCalls()


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
    wire.arriving += [b"one\r\ntwo\r\n" + IAC_NOP + b"three\r\n"]
    wire.settle()
    assert protocol.delivered == [b"one", b"two", IAC_NOP, b"three"]


@pytest.mark.parametrize("kind", ["plain", "telnet"])
@pytest.mark.parametrize("pauses", [[], ["pause"]], ids=["at once", "paused"])
@pytest.mark.parametrize("how", ["close", "abort", "stop"])
def test_nothing_is_delivered_once_it_has_closed_in_the_middle_of_a_chunk(kind, pauses, how):
    protocol = Scripted([[], [*pauses, how]], "always" if kind == "telnet" else "never")
    wire = connected(protocol, kind)
    wire.protocol.dataReceived(b"one\r\ntwo\r\n" + IAC_NOP * (kind == "telnet") + b"three\r\n")
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
        wire.protocol.dataReceived(IAC_EOF + b"x" * 10_000)
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
        peer.sendall(IAC_WILL_ECHO + IAC_NOP + b"one\r\n" + b"half-close\r\n" * (not is_tls))
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
