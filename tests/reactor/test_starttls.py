"""TLS, begun at once or later, and what Twisted puts between a connection and a protocol."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols import policies

from reactor.running import Recorder
from support import DEADLINE, eventually, receive_all, receive_exactly

# Twisted gives pyOpenSSL's own objects to pyOpenSSL, which warns of them.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MUCH = bytes(range(256)) * 10_000
CHUNK = MUCH[: 1 << 16]


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


def trusting(client):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(client, server_hostname="localhost")


def serve(running, description, protocol):
    endpoint = serverFromString(running.reactor, description)
    return running.call(endpoint.listen, running.factory(protocol))


@pytest.fixture
def options(certificate):
    return PrivateCertificate.loadPEM(certificate.read_bytes()).options()


class StartsTLS(Recorder):
    """Says `go`, and goes on with TLS, when it is told `starttls`."""

    options = None

    def dataReceived(self, data):
        super().dataReceived(data)
        if data == b"starttls":
            self.transport.write(b"go")
            self.transport.startTLS(self.options)
        else:
            self.transport.write(data)


@pytest.fixture
def starting(options):
    StartsTLS.options = options
    return StartsTLS


def start_tls(client):
    client.sendall(b"starttls")
    assert client.recv(10) == b"go"
    return trusting(client)


def test_a_connection_can_go_on_with_tls(running, starting):
    client, protocol = running.pair(starting)
    with start_tls(client) as secure:
        secure.sendall(b"hello")
        assert secure.recv(100) == b"hello"
        running.call(protocol.transport.writeSequence, [b"more ", b"words"])
        running.call(protocol.transport.loseConnection)
        assert receive_all(secure) == b"more words"
        assert secure.unwrap()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.received == b"starttlshello"


class Produces:
    """A producer that is registered before TLS, and writes only when it is told to begin."""

    def __init__(self, transport, streaming):
        self.transport = transport
        self.streaming = streaming
        self.left = 0
        self.paused = False
        transport.registerProducer(self, streaming)

    def begin(self):
        self.left = 100
        self.resumeProducing()

    def pauseProducing(self):
        self.paused = True

    def resumeProducing(self):
        self.paused = False
        while self.left and not self.paused:
            self.transport.write(CHUNK)
            self.left -= 1
            if not self.left:
                self.transport.unregisterProducer()
                self.transport.loseConnection()
            elif not self.streaming:
                break

    def stopProducing(self):
        pass


@pytest.mark.parametrize("streaming", [True, False])
def test_a_producer_goes_on_over_tls(running, starting, streaming):
    client, protocol = running.pair(starting)
    producer = running.call(lambda: Produces(protocol.transport, streaming))
    with start_tls(client) as secure:
        running.call(producer.begin)
        assert receive_all(secure) == CHUNK * 100
    protocol.why_lost()


def test_a_write_that_was_kept_is_not_sent_in_the_clear(running, starting):
    client, protocol = running.pair(starting)
    write = running.call(lambda: protocol.transport.write)
    client.sendall(b"starttls")
    assert client.recv(10) == b"go"
    running.call(write, b"secret")
    client.shutdown(socket.SHUT_WR)
    assert b"secret" not in receive_all(client)


def test_abort_over_tls_is_a_loss(running, starting):
    client, protocol = running.pair(starting)
    with start_tls(client) as secure:
        secure.sendall(b"hello")
        assert secure.recv(100) == b"hello"
        running.call(protocol.transport.abortConnection)
        with suppress(ConnectionResetError):
            assert secure.recv(100) == b""
    assert isinstance(protocol.why_lost(), ConnectionLost)


def test_an_end_without_tls_goodbye_is_the_end(running, starting):
    client, protocol = running.pair(starting)
    secure = start_tls(client)
    secure.sendall(b"hello")
    assert secure.recv(100) == b"hello"
    secure.close()
    protocol.why_lost()
    assert protocol.calls == ["lost"]


def test_a_write_after_the_loss_over_tls_is_dropped(running, starting):
    client, protocol = running.pair(starting)
    secure = start_tls(client)
    secure.close()
    protocol.why_lost()
    running.call(protocol.transport.write, b"gone")
    running.call(protocol.transport.loseConnection)


def test_an_ssl_endpoint_serves(running, certificate):
    port = serve(running, f"ssl:0:interface=127.0.0.1:privateKey={certificate}", Echo)
    with trusting(running.connect(port)) as client:
        client.sendall(MUCH[:100_000])
        assert receive_exactly(client, 100_000) == MUCH[:100_000]


def test_an_ssl_endpoint_pauses_and_resumes(running, certificate):
    class Paused(Recorder):
        def connectionMade(self):
            self.transport.pauseProducing()
            running.reactor.callLater(0, self.transport.resumeProducing)

    port = serve(running, f"ssl:0:interface=127.0.0.1:privateKey={certificate}", Paused)
    client = running.connect(port)
    client.settimeout(5)
    with trusting(client) as client:
        client.sendall(MUCH)
        protocol = running.accepted()
        eventually(lambda: protocol.received == MUCH, "all")


def test_a_haproxy_endpoint_tells_the_clients_address(running):
    port = serve(running, "haproxy:tcp:0:interface=127.0.0.1", Recorder)
    client = running.connect(port)
    client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello")
    protocol = running.accepted()
    eventually(lambda: protocol.received == b"hello", "hello")
    peer = running.call(protocol.transport.getPeer)
    assert (peer.host, peer.port) == ("192.0.2.1", 1234)


def test_a_timeout_ends_a_silent_connection(running):
    class Silent(Recorder, policies.TimeoutMixin):
        def connectionMade(self):
            self.setTimeout(0.05)

    client, protocol = running.pair(Silent)
    assert receive_all(client) == b""
    assert isinstance(protocol.why_lost(), ConnectionDone)


def test_a_limit_of_connections_holds(running):
    limited = policies.LimitTotalConnectionsFactory()
    limited.protocol = Echo
    limited.connectionLimit = 1
    limited.noisy = False
    port = running.listen(limited)
    first = running.connect(port)
    first.sendall(b"hello")
    assert first.recv(10) == b"hello"
    assert receive_all(running.connect(port)) == b""
    first.close()
    eventually(lambda: limited.connectionCount == 0, "its end")


@pytest.mark.parametrize("wrap", [
    policies.WrappingFactory,
    lambda factory: policies.ThrottlingFactory(factory, readLimit=1 << 30, writeLimit=1 << 30),
    lambda factory: policies.TimeoutFactory(factory, DEADLINE),
], ids=["plain", "throttling", "timeout"])  # fmt: skip
def test_a_wrapper_of_twisted_lets_all_through(running, wrap):
    inner = Factory.forProtocol(Echo)
    inner.noisy = False
    outer = wrap(inner)
    outer.noisy = False
    client = running.connect(running.listen(outer))
    client.sendall(MUCH[:100_000])
    assert receive_exactly(client, 100_000) == MUCH[:100_000]
    client.shutdown(socket.SHUT_WR)
    assert receive_all(client) == b""
