"""The sockets of the server: backlog, buffers, keep-alive, urgent data; on each kind of port."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
import subprocess
import sys
from contextlib import ExitStack, closing

import pytest
from twisted.internet.protocol import Factory

from echoproto.server.echo import EchoProtocol
from echoproto.server.listener import make_listener
from echoproto.server.registry import Registry
from echoproto.server.service import EchoService
from echoproto.server.sockets import SOCKET_BUFFER
from echoproto.server.wrappers import bottom_transport
from reactor.tls_peer import TLSPeer
from support import DEADLINE, connect, eventually, has_ipv6, receive_exactly

pytestmark = [
    pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="the options of Linux"),
]

SIOCINQ, SIOCOUTQ = 0x541B, 0x5411

SEGMENT = 65536
"""What the system may add to a buffer that is not quite full."""

TCP = "tcp:0:interface=127.0.0.1"
SSL = "ssl:0:interface=127.0.0.1:privateKey={pem}"
TWISTEDS = f"{SSL}:extraCertChain={{pem}}"
STREAMS = [TCP, SSL, TWISTEDS, f"haproxy:{TCP}", f"haproxy:{SSL}", "unix:{path}"]
if has_ipv6():
    STREAMS += [
        r"tcp:0:interface=\:\:1",
        r"tcp6:0:interface=\:\:1",
        r"haproxy:tcp6:0:interface=\:\:1",
    ]


class Echoes(Factory):
    noisy = False
    protocol = EchoProtocol


@pytest.fixture
def serving(running, certificate, tmp_path):
    """Serve echo where a test says; the service and its port."""

    def serve(where, **options):
        where = where.format(pem=certificate, path=tmp_path / "echo.sock")
        listener = make_listener(running.reactor, where, **options)
        service = EchoService(running.reactor, [listener], Echoes(), Registry())
        running.call(service.startService)
        services.append(service)
        return service, service._ports[0]

    services = []
    yield serve
    for service in services:
        running.call(service._registry.abort)
        running.call(service.stopService)


def dial(running, port):
    address = running.call(port.socket.getsockname)
    sock = socket.socket(running.call(lambda: port.socket.family))
    sock.settimeout(DEADLINE)
    sock.connect(address)
    return sock


def backlog_of(port):
    """The backlog as the kernel has it."""
    sock = port.socket
    if sock.family == socket.AF_UNIX:
        inode = os.fstat(sock.fileno()).st_ino
        (line,) = subprocess.run(
            ["ss", "-lxnH", "src", f"*{inode}"], capture_output=True, text=True, check=True
        ).stdout.splitlines()[:1] or [""]
        return int(line.split()[3]) if line else port.backlog
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)[0]


@pytest.mark.parametrize("where", STREAMS)
def test_a_burst_of_connections_finds_a_backlog_whoever_wrote_the_endpoint(serving, running, where):
    _, port = serving(where)
    assert running.call(backlog_of, port) == 4096
    running.call(port.stopReading)
    running.call(port.startReading)
    assert running.call(backlog_of, port) == 4096


@pytest.mark.parametrize("where", STREAMS)
def test_a_backlog_that_is_asked_for_is_kept(serving, running, where):
    _, port = serving(f"{where}:backlog=5")
    assert running.call(backlog_of, port) == 5
    running.call(port.stopReading)
    running.call(port.startReading)
    assert running.call(backlog_of, port) == 5


@pytest.mark.parametrize("where", [TCP, SSL])
def test_a_thousand_clients_connect_while_the_server_is_busy(serving, running, where):
    _, port = serving(where)
    running.call(port.stopReading)
    with ExitStack() as clients:
        for _ in range(1000):  # a SYN that is dropped is sent again after a second
            clients.enter_context(dial(running, port))
        running.call(port.startReading)


def options_of(handle, *names):
    return {name: handle.getsockopt(level_of(name), getattr(socket, name)) for name in names}


def level_of(name):
    return socket.IPPROTO_TCP if name.startswith("TCP") else socket.SOL_SOCKET


BUFFERS = {"SO_RCVBUF": SOCKET_BUFFER, "SO_SNDBUF": SOCKET_BUFFER}
EVERYWHERE = BUFFERS | {"SO_OOBINLINE": 1}
ON_TCP = EVERYWHERE | {
    "SO_KEEPALIVE": 1,
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 6,
    "TCP_USER_TIMEOUT": 120_000,
}


def accepted(running, service):
    """The socket of the server's end of the only connection."""
    connections = eventually(
        lambda: running.call(lambda: list(service._registry.connections)), "the connection"
    )
    (connection,) = connections
    return running.call(lambda: bottom_transport(connection.transport).getHandle())


@pytest.mark.parametrize("where", [*STREAMS, "haproxy:unix:{path}"])
def test_a_connection_has_the_options_of_its_port(serving, running, where):
    service, port = serving(where)
    expected = EVERYWHERE if "unix" in where else ON_TCP
    assert options_of(port.socket, *expected) == expected
    with dial(running, port):
        assert options_of(accepted(running, service), *expected) == expected


@pytest.mark.parametrize("where", [TCP, "unix:{path}"])
@pytest.mark.parametrize("buffer", [8192, 100_000])
def test_the_size_of_the_buffers_can_be_set(serving, running, where, buffer):
    service, port = serving(where, buffer=buffer)
    with dial(running, port):
        sizes = options_of(accepted(running, service), "SO_RCVBUF", "SO_SNDBUF")
    assert sizes == {"SO_RCVBUF": buffer, "SO_SNDBUF": buffer}


def test_with_0_the_buffers_are_left_to_the_system(serving):
    _, port = serving(TCP, buffer=0)
    with closing(socket.socket()) as untouched:
        assert options_of(port.socket, *BUFFERS) == options_of(untouched, *BUFFERS)


def held(handle, request):
    """How many bytes of data the system holds for a connection."""
    count = array.array("i", [0])
    fcntl.ioctl(handle.fileno(), request, count)
    return count[0]


@pytest.mark.parametrize("where", [TCP, "unix:{path}"])
def test_the_system_holds_no_more_than_the_bound_for_a_client_that_never_reads(
    serving, running, where
):
    service, port = serving(where)
    with dial(running, port) as client:
        client.setblocking(False)
        handle = accepted(running, service)
        (connection,) = running.call(lambda: list(service._registry.connections))

        def fill():
            """Send until the server reads no more, and no more fits into the system."""
            try:
                while client.send(b"x" * 65536):
                    pass
            except BlockingIOError:
                return running.call(lambda: bool(connection.paused))

        eventually(fill, "the server stops reading")
        assert held(handle, SIOCOUTQ) <= SOCKET_BUFFER + SEGMENT
        if not where.startswith("unix"):  # where what was sent is counted at the sender
            assert held(handle, SIOCINQ) <= SOCKET_BUFFER + SEGMENT


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
@pytest.mark.parametrize("first", ["0.0.0.0", r"\:\:"])
def test_all_addresses_of_ipv4_and_of_ipv6_can_share_a_port(serving, running, first):
    second = r"\:\:" if first == "0.0.0.0" else "0.0.0.0"
    _, port = serving(f"tcp:0:interface={first}")
    number = running.call(port.getHost).port
    serving(f"tcp:{number}:interface={second}")
    for host in ("127.0.0.1", "::1"):
        with connect(number, host) as client:
            client.sendall(b"hello")
            assert receive_exactly(client, 5) == b"hello"


@pytest.mark.parametrize("where", [TCP, "unix:{path}"])
def test_urgent_data_keeps_its_place(serving, running, where):
    _, port = serving(where)
    with dial(running, port) as client:
        client.sendall(b"a")
        client.send(b"b", socket.MSG_OOB)
        client.sendall(b"c")
        assert receive_exactly(client, 3) == b"abc"


def test_tls_is_served_on_a_socket_that_we_made(serving, running):
    _, port = serving(SSL)
    with dial(running, port) as client:
        peer = TLSPeer(client)
        peer.handshake()
        peer.sendall(b"hello")
        assert peer.receive() == b"hello"
