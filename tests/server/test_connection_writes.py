"""What a protocol may write: any buffer, which it may change at once; and nothing else.

The rule is the same on each transport, and above each layer.
"""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import Future

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate

from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import DEADLINE, receive_all
from telnet_bytes import HELLO, NO_THANKS

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MUCH = b"0123456789" * 1_000_000  # more than sockets hold

WAYS = {
    "bytearray": lambda transport, buffer: transport.write(buffer),
    "memoryview": lambda transport, buffer: transport.write(memoryview(buffer)),
    "sequence": lambda transport, buffer: transport.writeSequence(
        [b"", buffer[:5], memoryview(buffer)[5:]]
    ),
}

WRONG = ["text", "", 5, None, [5]]


class Writes(LineProtocol):
    """Writes a buffer as a line asks for, changes it at once, and closes."""

    context = None

    def connectionMade(self):
        self.errors = []
        self.lost = Future()

    def lineReceived(self, line):
        if line == b"starttls":
            self.transport.startTLS(self.context)
            return
        self.write_wrongly()
        buffer = bytearray(MUCH)
        WAYS[line.decode()](self.transport, buffer)
        buffer[:] = bytes(len(MUCH))
        self.transport.loseConnection()
        self.write_wrongly()

    def connectionLost(self, reason):  # noqa: ARG002
        self.write_wrongly()
        self.lost.set_result(None)

    def write_wrongly(self):
        transport = self.transport
        for wrong in WRONG:
            for write in (transport.write, lambda data: transport.writeSequence([b"", data])):
                try:
                    write(wrong)
                except TypeError as error:
                    self.errors.append(str(error))


def our_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def served(context=None, **kwargs):
    protocol = type("Writing", (Writes,), {"context": context})
    return LineFactory(protocol, Registry(), **kwargs)


def built_elsewhere():
    factory = Factory.forProtocol(Writes)
    factory.noisy = False
    return factory


TCP = "tcp:0:interface=127.0.0.1"


class Plain:
    """A client, before it asks for anything."""

    def __init__(self, sock):
        self.sendall = sock.sendall
        self.receive_all = lambda: receive_all(sock)


class Telnet(Plain):
    def __init__(self, sock):
        super().__init__(sock)
        sock.sendall(HELLO)
        assert sock.recv(3, socket.MSG_WAITALL) == NO_THANKS


def over_tls(sock):
    peer = TLSPeer(sock)
    peer.handshake()
    return peer


def over_start_tls(sock):
    sock.sendall(b"starttls\r\n")
    return over_tls(sock)


CASES = {
    "tcp": (lambda _: (TCP, served()), Plain),
    "another factory's": (lambda _: (TCP, built_elsewhere()), Plain),
    "telnet": (lambda _: (TCP, served()), Telnet),
    "our TLS": (lambda file: (TCP, served(tls=our_context(file))), over_tls),
    "Twisted's TLS": (
        lambda file: (f"ssl:0:interface=127.0.0.1:privateKey={file}", served()),
        over_tls,
    ),
    "startTLS, ours": (lambda file: (TCP, served(our_context(file))), over_start_tls),
    "startTLS, Twisted's": (
        lambda file: (TCP, served(PrivateCertificate.loadPEM(file.read_bytes()).options())),
        over_start_tls,
    ),
    "unix": (lambda _: ("unix:", served()), Plain),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_any_buffer_is_sent_as_it_was_when_it_was_written(
    running, certificate, tmp_path, case, way
):
    make, begin = case
    where, factory = make(certificate)
    unix = where == "unix:"
    path = str(tmp_path / "socket")
    endpoint = serverFromString(running.reactor, f"unix:{path}" if unix else where)
    port = running.call(endpoint.listen, running.keep(factory))
    if unix:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(DEADLINE)
        sock.connect(path)
    else:
        sock = running.connect(port)
    with sock:
        protocol = running.accepted()
        protocol = getattr(protocol, "wrappedProtocol", protocol)
        protocol = getattr(protocol, "protocol", protocol)
        client = begin(sock)
        client.sendall(way.encode() + b"\r\n")
        assert client.receive_all() == MUCH
    protocol.lost.result(DEADLINE)
    # Both ways to write, while it was open, after we closed, and after the end.
    assert protocol.errors == ["Data must be bytes"] * len(WRONG) * 2 * 3
    running.call(port.stopListening)
