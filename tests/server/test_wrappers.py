"""Half-close through what may stand between a connection and its socket: nothing is lost.

Twisted's wrappers and its TLS hide from the transport that the protocol can half-close. They are
put around each way to serve a protocol, on both reactors.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from io import StringIO
from threading import Thread

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols import policies

import support
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import DEADLINE, receive_all

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

LITTLE = b"hello"
MUCH = bytes(range(250)) * 20_000  # without a byte 255: this is no test of telnet
PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"
HAPROXY = "haproxy:tcp:0:interface=127.0.0.1"


class Plain(Protocol):
    """It knows nothing of half-close."""

    def dataReceived(self, data):
        self.transport.write(data)


class Raw(LineProtocol):
    """A LineProtocol that some factory has built: it takes the transport over."""

    line_mode = 0

    def rawDataReceived(self, data):
        self.transport.write(data)


class TrafficLoggingFactory(policies.TrafficLoggingFactory):
    """Twisted's leaves its files open."""

    def open(self, name):  # noqa: ARG002
        return StringIO()


def stock(protocol):
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    return factory


SERVED = {
    "EchoProtocol": lambda: LineFactory(EchoProtocol, Registry()),
    "any protocol": lambda: LineFactory(Plain, Registry()),
    "stock factory": lambda: stock(Raw),
}
WRAPPERS = {
    "timeout": lambda factory: policies.TimeoutFactory(factory, DEADLINE),
    "traffic": lambda factory: TrafficLoggingFactory(factory, "log"),
    "two": lambda factory: policies.WrappingFactory(policies.WrappingFactory(factory)),
}
served = pytest.mark.parametrize("served", SERVED.values(), ids=SERVED)


@contextmanager
def sending(send, end):
    """Send, and end, while the block receives."""

    def send_and_end():
        send()
        end()

    thread = Thread(target=send_and_end)
    thread.start()
    yield
    thread.join(DEADLINE)
    assert not thread.is_alive()


def half_closes(dial, begin=b""):
    """A client that sends and half-closes gets all: 20 times little, and once much."""
    for message in [*[LITTLE] * 20, MUCH]:
        with dial() as client:
            if message is LITTLE:
                client.sendall(begin + message)
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == message
                continue
            with sending(
                lambda client=client: client.sendall(begin + MUCH),
                lambda client=client: client.shutdown(socket.SHUT_WR),
            ):
                assert receive_all(client) == MUCH


def listen(running, description, factory):
    return running.call(serverFromString(running.reactor, description).listen, factory)


@served
def test_behind_a_proxy(running, served):
    port = listen(running, HAPROXY, served())
    half_closes(lambda: running.connect(port), PROXY)


@served
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_inside_a_wrapper(running, served, wrap):
    wrapper = wrap(served())
    wrapper.noisy = False
    port = listen(running, "tcp:0:interface=127.0.0.1", wrapper)
    half_closes(lambda: running.connect(port))


@served
@pytest.mark.parametrize("end", [TLSPeer.notify_close, TLSPeer.end_tcp])
def test_on_twisteds_own_tls(running, served, end, certificate):
    port = listen(running, f"ssl:0:interface=127.0.0.1:privateKey={certificate}", served())
    for message in [*[LITTLE] * 20, MUCH[: len(MUCH) // 5]]:
        peer = TLSPeer(running.connect(port))
        peer.handshake()
        if message is LITTLE:
            peer.sendall(message)
            end(peer)
            assert peer.receive_all() == message
        else:
            received = exchange(peer, message)
            end(peer)
            assert received + peer.receive_all() == message


def exchange(peer, message):
    """Send a message in pieces, and read some of the echo of each: one thread has OpenSSL."""
    received = b""
    for start in range(0, len(message), 16384):
        peer.sendall(message[start : start + 16384])
        received += peer.receive()
    return received


def test_behind_a_proxy_the_service_loses_nothing(serve):
    with serve(listen=[HAPROXY]) as server:
        half_closes(lambda: support.connect(server.port), PROXY)
        log = server.stop()
    assert log.count("closed by the client") == 21
    assert "Traceback" not in log
