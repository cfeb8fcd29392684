"""Half-close through TLS and Twisted's wrappers: a client that has ended gets its answer."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager

import pytest
from OpenSSL import SSL
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import PrivateCertificate
from zope.interface import implementer

from reactor.running import Recorder, only_uvloop
from support import DEADLINE, receive_all

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MUCH = bytes(range(256)) * 20_000
PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"


class Echo(Protocol):
    """It knows nothing of half-close."""

    def dataReceived(self, data):
        self.transport.write(data)


@implementer(IHalfCloseableProtocol)
class Answers(Recorder):
    """It answers all at the end of the client."""

    def readConnectionLost(self):
        self.calls.append("read lost")
        self.transport.write(self.received)
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass


def listen(running, description, protocol):
    endpoint = serverFromString(running.reactor, description)
    return running.call(endpoint.listen, running.factory(protocol))


@contextmanager
def tls(sock):
    """A TLS client that can be half-closed: Python's own `ssl` cannot."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock)
    sock.settimeout(None)  # OpenSSL needs a blocking socket: the deadline is the system's
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", int(DEADLINE), 0))
    connection.set_connect_state()
    connection.do_handshake()
    yield connection


def receive_all_tls(connection):
    data = b""
    try:
        while True:
            data += connection.recv(1 << 16)
    except SSL.ZeroReturnError:
        return data


def ends_tls(connection):
    connection.shutdown()


def ends_tcp(connection):
    connection.sock_shutdown(socket.SHUT_WR)


@only_uvloop
@pytest.mark.parametrize("end", [ends_tls, ends_tcp])
def test_over_tls_every_protocol_answers_a_client_that_has_ended(running, certificate, end):
    endpoint = serverFromString(
        running.reactor, f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    )
    port = running.call(endpoint.listen, running.factory(Echo))
    with tls(running.connect(port)) as client:
        client.sendall(b"hello")
        end(client)
        assert receive_all_tls(client) == b"hello"


@only_uvloop
@pytest.mark.parametrize("end", [ends_tls, ends_tcp])
def test_our_reactor_does_so_after_start_tls(running, certificate, end):
    class Starts(Echo):
        def connectionMade(self):
            self.transport.startTLS(PrivateCertificate.loadPEM(certificate.read_bytes()).options())

    with tls(running.connect(running.listen(Starts))) as client:
        client.sendall(b"hello")
        end(client)
        assert receive_all_tls(client) == b"hello"


def test_a_client_that_ends_before_tls_has_begun_is_lost(running, certificate):
    port = listen(running, f"ssl:0:interface=127.0.0.1:privateKey={certificate}", Recorder)
    client = running.connect(port)
    client.shutdown(socket.SHUT_WR)
    assert isinstance(running.accepted().why_lost(), ConnectionLost)
    assert receive_all(client) == b""


@only_uvloop
def test_a_buffer_is_sent_as_it_was_when_it_was_written(running, certificate):
    class Talks(Recorder):
        def dataReceived(self, _):
            buffer = bytearray(MUCH)
            self.transport.write(memoryview(buffer))
            buffer[:] = bytes(len(MUCH))
            for wrong in ("text", 5):
                with pytest.raises(TypeError):
                    self.transport.write(wrong)
            self.transport.loseConnection()
            with pytest.raises(TypeError):
                self.transport.write("after the end")

    port = listen(running, f"ssl:0:interface=127.0.0.1:privateKey={certificate}", Talks)
    with tls(running.connect(port)) as client:
        client.sendall(b"go")
        assert receive_all_tls(client) == MUCH
