"""A producer of the author's own: it takes the place of backpressure, and ends before we do."""

from __future__ import annotations

import ssl
from concurrent.futures import Future
from io import BytesIO

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.protocols.basic import FileSender

from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from peers import RESET_AT_CLOSE
from reactor.tls_peer import TLSPeer
from support import DEADLINE

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

FILE = bytes(range(250)) * 12_000


class Sends(LineProtocol):
    """Sends a file, and then a line; and closes if it is told to."""

    def lineReceived(self, line):
        sending = FileSender().beginFileTransfer(BytesIO(FILE), self.transport)
        sending.addCallback(lambda _: self.transport.write(b"DONE"))
        if line == b"file, and close":
            self.transport.loseConnection()


@pytest.fixture(params=["our TLS", "Twisted's TLS"])
def port(request, running, certificate):
    if request.param == "our TLS":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        factory, where = LineFactory(Sends, Registry(), tls=context), "tcp:0:interface=127.0.0.1"
    else:
        factory = LineFactory(Sends, Registry())
        where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    return running.call(serverFromString(running.reactor, where).listen, factory)


@pytest.mark.parametrize("line", [b"file\n", b"file, and close\n"])
def test_a_file_comes_whole_to_a_client_that_half_closes_tcp(running, port, line):
    peer = TLSPeer(running.connect(port))
    peer.handshake()
    peer.sendall(line)
    begun = peer.receive()
    if line == b"file\n":
        peer.end_tcp()
    assert begun + peer.receive_all() == FILE + b"DONE"


@pytest.mark.parametrize("port", ["our TLS"], indirect=True)  # Twisted's has no half-close
def test_a_file_comes_whole_to_a_client_that_ends_with_close_notify(running, port):
    peer = TLSPeer(running.connect(port))
    peer.handshake()
    peer.sendall(b"file\n")
    begun = peer.receive()
    peer.notify_close()
    assert begun + peer.receive_all() == FILE + b"DONE"


class Unregisters(LineProtocol):
    """Closes while it has a producer, which it unregisters when the connection is lost."""

    def lineReceived(self, line):  # noqa: ARG002
        self.lost = Future()
        self.transport.registerProducer(self, True)
        self.transport.write(b"ok")
        self.transport.loseConnection()

    def connectionLost(self, reason):  # noqa: ARG002
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self.lost.set_result(None)


def test_a_producer_may_be_unregistered_when_the_connection_is_lost(running, contexts):
    ours, _ = contexts
    factory = running.keep(LineFactory(Unregisters, Registry(), tls=ours))
    client = running.connect(running.listen(factory))
    protocol = running.served()
    peer = TLSPeer(client)
    peer.handshake()
    peer.sendall(b"close\n")
    assert peer.receive_exactly(2) == b"ok"
    client.setsockopt(*RESET_AT_CLOSE)
    client.close()
    protocol.lost.result(DEADLINE)
    running.call(deferLater, running.reactor, 0)  # what it has scheduled is done, without an error


class Idle:
    """A producer that has nothing to do."""

    def pauseProducing(self):
        pass

    resumeProducing = stopProducing = pauseProducing


class Registers(LineProtocol):
    """Registers a producer when it is told to; notes which there is at each line."""

    def connectionMade(self):
        self.lines, self.producer = [], Idle()

    def lineReceived(self, line):
        self.lines.append((line, self.transport.producer))
        if line == b"much":
            self.transport.write(bytes(8_000_000))

    def register(self):
        self.transport.registerProducer(self.producer, True)


def test_what_waits_is_delivered_when_the_producer_is_registered_and_not_before(running):
    client = running.connect(running.listen(running.keep(LineFactory(Registers, Registry()))))
    protocol = running.served()
    client.sendall(b"much\nnext\n")
    assert client.recv(1) == b"\0"
    running.call(protocol.register)
    assert protocol.lines[1:] == [(b"next", protocol.producer)]
    running.call(protocol.transport.unregisterProducer)
