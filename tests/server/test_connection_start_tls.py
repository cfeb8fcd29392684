"""`startTLS` from inside `lineReceived`, with our TLS layer and with Twisted's TLS."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import Future
from contextlib import contextmanager, suppress

import pytest
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from echoproto.server import handshake
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import DEADLINE, receive_all, receive_exactly
from tls_contexts import our_context, twisteds_context

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MUCH = b"x" * 1_000_000


@pytest.fixture(params=[our_context, twisteds_context], ids=["ours", "twisted"])
def context(request, certificate):
    return request.param(certificate)


@implementer(IHandshakeListener)
class Starts(LineProtocol):
    """Answers each line; goes on with TLS where a line asks for it."""

    context = None

    def connectionMade(self):
        self.lines = []
        self.calls = []
        self.lost = Future()
        self.write, self.write_sequence = self.transport.write, self.transport.writeSequence

    def handshakeCompleted(self):
        self.calls.append("handshake")

    def lineReceived(self, line):
        self.lines.append(line)
        match line:
            case b"starttls":
                self.sendLine(b"go ahead")
                self.transport.startTLS(self.context)
                self.write(b"early, ")
                self.write_sequence([b"in ", b"pieces\r\n"])
            case b"close":
                self.write(MUCH)
                self.transport.loseConnection()
            case _:
                self.sendLine(b"got " + line)

    def peerHalfClosed(self):
        self.calls.append("half-closed")
        self.sendLine(b"bye")
        super().peerHalfClosed()

    def connectionLost(self, reason):
        self.calls.append("lost")
        self.lost.set_result(reason)


GO_AHEAD = b"go ahead\r\n"
EARLY = b"early, in pieces\r\n"


@pytest.fixture
def client(running, context):
    """A client's socket; its protocol is `running.served()`."""
    protocol = type("Starting", (Starts,), {"context": context})
    factory = running.keep(LineFactory(protocol, Registry()))
    return running.connect(running.listen(factory))


def begin(client, behind=b""):
    """Ask for TLS, with the first bytes of it in the same segment."""
    peer = TLSPeer(client)
    client.sendall(b"one\nstarttls\r\n" + behind + peer.hello())
    assert receive_exactly(client, 9 + len(GO_AHEAD)) == b"got one\r\n" + GO_AHEAD
    return peer


def test_what_is_written_before_is_in_the_clear_and_what_is_written_after_is_not(running, client):
    protocol = running.served()
    peer = TLSPeer(client)
    client.sendall(b"one\nstarttls\n")
    assert receive_exactly(client, 9 + len(GO_AHEAD)) == b"got one\r\n" + GO_AHEAD
    peer.handshake()
    assert peer.receive_exactly(len(EARLY)) == EARLY
    assert protocol.calls == ["handshake"]
    peer.sendall(b"two\nthr")
    peer.sendall(b"ee\n")
    assert peer.receive_exactly(20) == b"got two\r\ngot three\r\n"
    assert protocol.lines == [b"one", b"starttls", b"two", b"three"]


def test_what_the_client_sends_behind_the_line_is_tls(running, client):
    protocol = running.served()
    peer = begin(client)
    peer.handshake()
    peer.sendall(b"two\n")
    assert peer.receive_exactly(len(EARLY) + 9) == EARLY + b"got two\r\n"
    assert protocol.lines == [b"one", b"starttls", b"two"]


@pytest.mark.parametrize("late", [b"", b"\n", b"\0"])
def test_the_rest_of_a_line_end_may_arrive_after_its_cr(running, client, late):
    protocol = running.served()
    client.sendall(b"starttls\r")
    assert receive_exactly(client, len(GO_AHEAD)) == GO_AHEAD
    peer = TLSPeer(client)
    client.sendall(late)
    peer.handshake()
    peer.sendall(b"\ntwo\n")
    assert peer.receive_exactly(len(EARLY) + 15) == EARLY + b"got \r\ngot two\r\n"
    assert protocol.lines == [b"starttls", b"", b"two"]


class Produces(Starts):
    """Registers a producer before it starts TLS."""

    def connectionMade(self):
        super().connectionMade()
        self.transport.registerProducer(NullProducer(), True)


@implementer(IPushProducer)
class NullProducer:
    def pauseProducing(self):
        pass

    resumeProducing = stopProducing = pauseProducing


def test_a_producer_of_the_protocol_is_kept(running, context):
    protocol = type("Starting", (Produces,), {"context": context})
    factory = running.keep(LineFactory(protocol, Registry()))
    client = running.connect(running.listen(factory))
    served = running.served()
    peer = begin(client)
    peer.handshake()
    assert peer.receive_exactly(len(EARLY)) == EARLY
    running.call(served.transport.unregisterProducer)
    peer.sendall(b"two\n")
    assert peer.receive_exactly(9) == b"got two\r\n"


@contextmanager
def logging():
    """Collects what is logged during the block."""
    events = []
    globalLogPublisher.addObserver(events.append)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(events.append)


CLEAR = {
    "a line": b"noop\r\n",
    "lines": b"injected\nlines\n",
    "part of a line": b"x",
    "much": b"injected\n" * 20_000,
    "telnet": b"\xff\xf1injected\r\n\xff\xf1lines\r\n",
}


@pytest.mark.parametrize("hello", [b"", b"\xff\xfd\x01"], ids=["plain", "telnet"])
@pytest.mark.parametrize("clear", CLEAR.values(), ids=CLEAR)
def test_what_comes_in_the_clear_behind_the_line_is_dropped(running, client, hello, clear):
    protocol = running.served()
    greeting = b"\xff\xfc\x01" * bool(hello) + GO_AHEAD

    client.sendall(hello)
    running.call(protocol.transport.pauseProducing)
    client.sendall(b"starttls\r\n" + clear)
    with logging() as events:
        running.call(protocol.transport.resumeProducing)
        assert receive_exactly(client, len(greeting)) == greeting
        # What has not been read yet is TLS, and that it is not.
        peer = TLSPeer(client)
        if len(clear) < 1000:
            peer.handshake()
            assert peer.receive_exactly(len(EARLY)) == EARLY
    assert protocol.lines == [b"starttls"]
    dropped = [event["log_text"] for event in events if "in the clear" in str(event)]
    assert len(dropped) == 1
    assert "behind startTLS: dropped" in dropped[0]


@pytest.mark.parametrize("reads", [0, 20])
def test_a_handshake_that_never_ends_is_cut(running, client, monkeypatch, reads):
    monkeypatch.setattr(handshake, "HANDSHAKE_TIMEOUT", 0.1)
    protocol = running.served()
    client.sendall(b"starttls\n" + TLSPeer(client).hello()[:reads])
    with suppress(ConnectionResetError):
        assert receive_all(client) == GO_AHEAD
    reason = protocol.lost.result(DEADLINE)
    assert "the handshake was not completed in 0.1 s" in str(reason.value)
    assert protocol.lines == [b"starttls"]


def test_telnet_goes_on_inside_tls(running, client):
    protocol = running.served()
    client.sendall(b"\xff\xfd\x01starttls\r\n")
    greeting = b"\xff\xfc\x01" + GO_AHEAD
    assert receive_exactly(client, len(greeting)) == greeting
    peer = TLSPeer(client)
    peer.handshake()
    peer.sendall(b"\xff\xfd\x01two\r\n\xff\xff\r\0")
    answer = EARLY + b"\xff\xfc\x01got two\r\ngot \xff\xff\r\n"
    assert peer.receive_exactly(len(answer)) == answer
    assert protocol.lines == [b"starttls", b"two", b"\xff"]


@pytest.mark.parametrize("end", [TLSPeer.notify_close, TLSPeer.end_tcp])
def test_a_client_that_half_closes_then_gets_its_answers(running, client, context, end):
    # With Twisted's own TLS, close_notify is the end of both directions.
    is_told = isinstance(context, ssl.SSLContext) or end is TLSPeer.end_tcp
    protocol = running.served()
    peer = begin(client)
    peer.handshake()
    peer.sendall(b"two\n")
    end(peer)
    assert peer.receive_all() == EARLY + b"got two\r\n" + b"bye\r\n" * is_told
    if end is TLSPeer.notify_close:
        assert peer.is_clean
    client.close()
    protocol.lost.result(DEADLINE)
    assert protocol.calls == ["handshake", *["half-closed"] * is_told, "lost"]


def test_closing_then_sends_everything_and_the_end_of_tls(running, client):
    protocol = running.served()
    peer = begin(client)
    peer.handshake()
    peer.sendall(b"close\nmore\n")
    assert peer.receive_all() == EARLY + MUCH
    assert peer.is_clean
    peer.notify_close()
    assert receive_all(client) == b""
    protocol.lost.result(DEADLINE)
    assert protocol.lines == [b"one", b"starttls", b"close"]
    assert protocol.calls == ["handshake", "lost"]


def test_a_client_that_goes_away_in_the_handshake_is_lost(running, client):
    protocol = running.served()
    begin(client)
    client.shutdown(socket.SHUT_WR)
    receive_all(client)
    protocol.lost.result(DEADLINE)
    assert "handshake" not in protocol.calls


def test_backpressure_holds_inside_tls(running, client):
    connection = running.accepted()
    peer = begin(client)
    peer.handshake()
    peer.receive_exactly(len(EARLY))
    running.call(connection.write, MUCH * 8)  # more than all the buffers between
    assert running.call(lambda: connection.paused)
    peer.receive_exactly(len(MUCH) * 8)
    peer.sendall(b"two\n")
    assert peer.receive_exactly(9) == b"got two\r\n"
    assert not running.call(lambda: connection.paused)


class Floods(Starts):
    """Has much unsent when TLS begins, and writes as much at once inside TLS."""

    def lineReceived(self, line):
        if line == b"flood":
            self.write(MUCH * 3)
            self.transport.startTLS(self.context)
            self.write(MUCH * 3)
        else:
            super().lineReceived(line)


@pytest.mark.parametrize("reads_first", [True, False])
def test_much_that_is_unsent_before_and_after_does_not_stop_the_handshake(
    running, context, reads_first
):
    protocol = type("Flooding", (Floods,), {"context": context})
    factory = running.keep(LineFactory(protocol, Registry()))
    client = running.connect(running.listen(factory))
    peer = TLSPeer(client)
    client.sendall(b"flood\n" + (b"" if reads_first else peer.hello()))
    assert receive_exactly(client, 3 * len(MUCH)) == MUCH * 3
    peer.handshake()
    assert peer.receive_exactly(3 * len(MUCH)) == MUCH * 3
    peer.sendall(b"two\n")
    assert peer.receive_exactly(9) == b"got two\r\n"
    client.close()
    running.served().lost.result(DEADLINE)


class Greets(Starts):
    """Begins TLS before it has received anything, and then writes."""

    def connectionMade(self):
        super().connectionMade()
        self.transport.startTLS(self.context)
        self.write(MUCH)


def test_a_server_may_begin_and_write_first(running, context):
    protocol = type("Greeting", (Greets,), {"context": context})
    factory = running.keep(LineFactory(protocol, Registry()))
    peer = TLSPeer(running.connect(running.listen(factory)))
    peer.handshake()
    assert peer.receive_exactly(len(MUCH)) == MUCH
    peer.sendall(b"two\n")
    assert peer.receive_exactly(9) == b"got two\r\n"
