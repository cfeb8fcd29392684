"""PROXY headers in front of a connection: what a valid one says, and what all others lead to."""

from __future__ import annotations

import gc
import socket
import struct
import weakref
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.python.failure import Failure

import support
from echoproto.errors import ProxyHeaderError
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.log import show_address
from echoproto.server.protocol import LineProtocol
from echoproto.server.proxy import header_length
from echoproto.server.registry import Observer, Registry
from reactor.tls_peer import TLSPeer
from support import receive_all, receive_exactly

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

TCP = "haproxy:tcp:0:interface=127.0.0.1"
START_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, body, length=None):
    return (
        START_V2
        + struct.pack("!BBH", command, family, len(body) if length is None else length)
        + body
    )


IPV4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 1234, 80)
IPV6 = bytes.fromhex("20010db8") + bytes(11) + b"\1" + bytes(16) + struct.pack("!HH", 1234, 80)
UNIX = b"/client".ljust(108, b"\0") + b"/server".ljust(108, b"\0")
TLV = b"\x04\x00\x03abc"

VALID = {
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n": "192.0.2.1:1234",
    b"PROXY TCP6 2001:db8::1 :: 65535 0\r\n": "[2001:db8::1]:65535",
    b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n": (
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
    ),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN anything: \xff\0\r\n": None,
    b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n": None,
    v2(0x21, 0x11, IPV4): "192.0.2.1:1234",
    v2(0x21, 0x12, IPV4): "192.0.2.1:1234",
    v2(0x21, 0x11, IPV4 + TLV): "192.0.2.1:1234",
    v2(0x21, 0x11, IPV4 + bytes(0xFFFF - len(IPV4))): "192.0.2.1:1234",
    v2(0x21, 0x21, IPV6): "[2001:db8:0:0:0:0:0:1]:1234",
    v2(0x21, 0x31, UNIX): "unix:/client",
    v2(0x21, 0x00, b""): None,
    v2(0x21, 0x00, TLV): None,
    v2(0x21, 0x10, b""): None,
    v2(0x20, 0x00, b""): None,
    v2(0x20, 0xFF, b"ignored"): None,
}
"""Each header, and the client that it names."""

INVALID = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"x",
    b"\xff\xfd\x01",
    b"\r\n\r\n\0\r\nQUIT\r" + bytes(10),
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXYTCP4 192.0.2.1 192.0.2.2 1234 80\r\n",
    b"proxy TCP4 192.0.2.1 192.0.2.2 1234 80\r\n",
    b"PROXY TCP5 192.0.2.1 192.0.2.2 1234 80\r\n",
    b"PROXY UNKNOWNS\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 \r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80 \r\n",
    b"PROXY TCP4  192.0.2.1 192.0.2.2 1234 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 a b\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1_0 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 999999999999999999999\r\n",
    b"PROXY TCP4 192.0.2.256 192.0.2.2 1234 80\r\n",
    b"PROXY TCP4 a.example 192.0.2.2 1234 80\r\n",
    b"PROXY TCP4 :: :: 1234 80\r\n",
    b"PROXY TCP4 \xff\xfe 192.0.2.2 1234 80\r\n",
    b"PROXY TCP4 192.0.2.1\nforged 192.0.2.2 1234 80\r\n",
    b"PROXY TCP6 192.0.2.1 192.0.2.2 1234 80\r\n",
    b"PROXY TCP6 :: :: a b\r\n",
    b"PROXY TCP6 ::: :: 1234 80\r\n",
    b"PROXY TCP6 fe80::1%\x1b[0m :: 1234 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\n".ljust(107),
    b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n",
    b"PROXY " + b"x" * 100_000,
    v2(0x11, 0x11, IPV4),
    v2(0x31, 0x11, IPV4),
    v2(0x22, 0x11, IPV4),
    v2(0x2F, 0x11, IPV4),
    v2(0x21, 0x41, IPV4),
    v2(0x21, 0xF1, IPV4),
    v2(0x21, 0x13, IPV4),
    v2(0x21, 0x03, b""),
    v2(0x21, 0x11, IPV4[:-1]),
    v2(0x21, 0x11, b""),
    v2(0x21, 0x21, IPV6[:-1]),
    v2(0x21, 0x31, UNIX[:-1]),
]


class Ends(Observer):
    """Keeps the reasons for which connections ended."""

    def __init__(self):
        self.reasons = []

    def disconnected(self, connection, reason):  # noqa: ARG002
        self.reasons.append(reason.value)


class Names(LineProtocol):
    """Sends back each line, with the name of the client in front of it."""

    def lineReceived(self, line):
        self.sendLine(show_address(self.transport.getPeer()).encode() + b" " + line)


def listen(running, factory, where=TCP):
    return running.call(serverFromString(running.reactor, where).listen, factory)


def built_elsewhere(protocol):
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    return factory


@pytest.mark.parametrize("make", [LineFactory, built_elsewhere])
def test_a_valid_header_names_the_client(running, make):
    factory = LineFactory(Names, Registry()) if make is LineFactory else make(Names)
    port = listen(running, factory)
    for header, name in VALID.items():
        with running.connect(port) as client:
            client.sendall(header + b"hello\r\n")
            host, number = client.getsockname()
            expected = f"{name or f'{host}:{number}'} hello\r\n".encode()
            assert receive_exactly(client, len(expected)) == expected
            client.sendall(b"again\r\n")
            assert receive_exactly(client, len(expected)) == expected.replace(b"hello", b"again")


def test_a_header_may_come_in_pieces(running):
    port = listen(running, LineFactory(Names, Registry()))
    for header, name in VALID.items():
        if name is None or len(header) > 300:
            continue
        with running.connect(port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in header + b"hel":
                client.send(bytes([byte]))
                running.call(lambda: None)
            client.sendall(b"lo\r\n")
            expected = f"{name} hello\r\n".encode()
            assert receive_exactly(client, len(expected)) == expected


@pytest.mark.parametrize("header", INVALID, ids=lambda header: repr(header[:60]))
def test_anything_else_closes_the_connection_and_is_logged(running, header):
    # `running` fails a test in which a traceback is logged.
    ends = Ends()
    port = listen(running, LineFactory(EchoProtocol, Registry([ends])))
    with running.connect(port) as client, suppress(ConnectionError):
        client.sendall(header + b"hello\r\n")
        assert receive_all(client) == b""
    support.eventually(lambda: ends.reasons, "the end")
    (reason,) = ends.reasons
    assert isinstance(reason, ProxyHeaderError)
    assert len(str(reason)) < 300
    assert str(reason).isprintable()


@pytest.mark.parametrize("sent", [b"", b"PROXY TC", b"PROXY UNKNOWN\r\nhello", b"GET / HTTP"])
def test_what_reads_the_header_is_part_of_no_circle(sent):
    gc.collect()
    gc.disable()
    try:
        wrapper = HAProxyWrappingFactory(LineFactory(EchoProtocol)).buildProtocol(None)
        wrapper.makeConnection(StringTransport())
        if sent:
            wrapper.dataReceived(sent)
        reader = weakref.ref(wrapper.dataReceived.__self__)
        connection = wrapper.wrappedProtocol
        wrapper.connectionLost(Failure(ConnectionDone()))
        connection.transport = None
        del wrapper
        assert reader() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("where", [TCP, "haproxy:ssl:0:interface=127.0.0.1:privateKey={}"])
def test_a_peer_that_sends_for_ever_is_not_kept(running, certificate, where):
    ends = Ends()
    port = listen(running, LineFactory(EchoProtocol, Registry([ends])), where.format(certificate))
    with running.connect(port) as client, suppress(ConnectionError):
        peer = client
        if where is not TCP:
            peer = TLSPeer(client)
            peer.handshake()
        for _ in range(1000):
            peer.sendall(b"PROXY" + bytes(1 << 16))
        assert receive_all(client) == b""
    support.eventually(lambda: ends.reasons, "the end")


def test_a_client_that_ends_within_its_header_is_closed(running):
    ends = Ends()
    port = listen(running, LineFactory(EchoProtocol, Registry([ends])))
    with running.connect(port) as client:
        client.sendall(b"PROXY TCP4 192")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
    support.eventually(lambda: ends.reasons, "the end")


def test_the_log_has_one_line_for_each(serve):
    with serve(listen=[TCP]) as server:
        for header in INVALID:
            with support.connect(server.port) as client, suppress(ConnectionError):
                client.sendall(header)
                receive_all(client)
        with support.connect(server.port) as client:
            client.sendall(b"PROXY UNKNOWN\r\nhello")
            assert receive_exactly(client, 5) == b"hello"
        log = server.stop()
    assert "Traceback" not in log
    assert log.count("PROXY header") == len(INVALID)
    assert log.count(" disconnected: ") == len(INVALID) + 1


HEADERS = st.one_of(
    st.binary(max_size=40).map(lambda rest: START_V2 + rest),
    st.text("PROXYTCUNKW46 0123456789.:af\r\n", max_size=60).map(str.encode),
    st.binary(max_size=60).map(lambda rest: b"PROXY TCP4 " + rest + b"\r\n"),
    st.builds(v2, st.integers(0x1F, 0x22), st.integers(0, 255), st.binary(max_size=230), st.none()),
)


@given(HEADERS)
@example(b"PROXY UNKNOWN \r\n")
def test_what_is_accepted_is_what_twisted_can_read(data):
    try:
        length = header_length(bytearray(data))
    except ProxyHeaderError:
        return
    header = data[:length]
    if header and header != b"PROXY UNKNOWN\r\n":
        parser = V2Parser() if header.startswith(START_V2) else V1Parser()
        _, rest = parser.feed(header)
        assert rest == b""


@given(st.sampled_from(INVALID) | HEADERS)
def test_a_header_is_judged_alike_however_it_is_cut(data):
    def judge(start):
        try:
            return header_length(bytearray(data[:start]))
        except ProxyHeaderError:
            return None

    whole = judge(len(data))
    cut = next((found for start in range(len(data)) if (found := judge(start)) != 0), whole)
    assert cut == whole
