"""The server as it runs: every byte comes back, on every kind of listener, whatever the client."""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
from contextlib import contextmanager

import pytest
from OpenSSL import SSL

import support
from socket_probes import takes_more
from support import DEADLINE, connect, receive_all, receive_exactly

TIMES = 200
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def everywhere(certificate, tmp_path_factory, serve):
    """A server on each kind of listener: (the server, how to connect to each)."""
    path = tmp_path_factory.mktemp("unix") / "echo.sock"
    listen = [
        "127.0.0.1:0",
        f"unix:{path}",
        f"ssl:0:interface=127.0.0.1:privateKey={certificate}",
        *["[::1]:0"] * support.has_ipv6(),
    ]
    with serve(listen=listen) as server:

        def connect_unix():
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(DEADLINE)
            sock.connect(str(path))
            return sock

        yield {
            "tcp": lambda: connect(server.ports[0]),
            "unix": connect_unix,
            "tls": lambda: connect(server.ports[2]),
            "tcp6": lambda: connect(server.ports[3], "::1"),
        }


@pytest.fixture(params=["tcp", "tcp6", "unix"])
def dial(request, everywhere):
    if request.param == "tcp6" and not support.has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    return everywhere[request.param]


def test_a_client_that_sends_no_line_end_and_waits_gets_its_echo_many_times(dial):
    with dial() as sock:
        for number in range(TIMES):
            message = f"hello {number}".encode()
            sock.sendall(message)
            assert receive_exactly(sock, len(message)) == message


def test_every_byte_value_comes_back_in_order(dial):
    message = bytes(range(256)) * 512
    with dial() as sock:
        sock.sendall(message)
        assert receive_exactly(sock, len(message)) == message


@pytest.mark.parametrize("message", [b"hello", b"hello\r\n"])
def test_a_client_that_half_closes_gets_everything_every_time(dial, message):
    for _ in range(TIMES):
        with dial() as sock:
            sock.sendall(message)
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == message


def test_a_client_that_half_closes_with_much_unread_gets_everything(dial):
    # More than all the buffers between, so that the end comes while the server is waiting.
    message = bytes(range(256)) * (16 * MEBIBYTE // 256)
    with dial() as sock:
        received = bytearray()
        sock.setblocking(False)
        left = memoryview(message)
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while left:
                ready = selector.select(DEADLINE)
                assert ready, f"nothing more after {len(received)} bytes"
                for _, events in ready:
                    if events & selectors.EVENT_WRITE:
                        left = left[sock.send(left[:65536]) :]
                        continue
                    received += sock.recv(65536)
        sock.settimeout(DEADLINE)
        sock.shutdown(socket.SHUT_WR)
        received += receive_all(sock)
    assert received == message


@contextmanager
def tls(sock):
    """A TLS client that can be half-closed: Python's own `ssl` cannot."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock)
    # OpenSSL needs a blocking socket: the deadline is the system's.
    sock.settimeout(None)
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", int(DEADLINE), 0))
    connection.set_connect_state()
    connection.do_handshake()
    with sock:
        yield connection


def receive_all_tls(connection):
    data = b""
    try:
        while True:
            data += connection.recv(65536)
    except SSL.ZeroReturnError:
        return data


def test_on_tls_a_client_that_sends_close_notify_gets_everything_every_time(everywhere):
    for _ in range(TIMES):
        with tls(everywhere["tls"]()) as connection:
            connection.send(b"hello")
            connection.shutdown()
            assert receive_all_tls(connection) == b"hello"


def test_on_tls_a_client_that_closes_only_tcp_gets_everything_every_time(everywhere):
    for _ in range(TIMES):
        with tls(everywhere["tls"]()) as connection:
            connection.send(b"hello")
            connection.sock_shutdown(socket.SHUT_WR)
            assert receive_all_tls(connection) == b"hello"


def test_on_tls_much_that_is_unread_at_the_end_still_comes(everywhere):
    # More than the systems carry to a client that does not read, and less than they and the server
    # hold together, however little our own system takes: nobody reads before all is sent.
    message = b"x" * (MEBIBYTE // 2)
    with tls(everywhere["tls"]()) as connection:
        connection.sendall(message)
        connection.shutdown()
        assert receive_all_tls(connection) == message


def test_python_s_own_tls_client_gets_its_echo(everywhere, certificate):
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with context.wrap_socket(everywhere["tls"]()) as sock:
        sock.sendall(b"hello")
        assert receive_exactly(sock, 5) == b"hello"


def test_a_client_that_never_reads_costs_no_memory_and_no_other_client(serve):
    with serve() as server, connect(server.port) as greedy, connect(server.port) as other:
        chunk = b"x" * MEBIBYTE
        greedy.sendall(b"x")  # warm up: what is counted is what the flood adds
        before = server.memory()
        greedy.setblocking(False)
        sent = 0
        while sent < 300 * MEBIBYTE and takes_more(greedy, other):
            sent += greedy.send(chunk)
        assert sent < 300 * MEBIBYTE, "all was taken: where is it?"
        other.sendall(b"still there?")
        assert receive_exactly(other, 12) == b"still there?"
        assert server.memory() - before < 8 * MEBIBYTE

        # And when the client does read, all is there.
        greedy.settimeout(DEADLINE)
        greedy.shutdown(socket.SHUT_WR)
        assert len(receive_all(greedy)) == sent + 1


def test_a_client_that_reads_at_last_gets_all_of_300_mebibytes(serve):
    total = 300 * MEBIBYTE
    with serve() as server, connect(server.port) as sock:
        before = server.memory()
        most = 0
        sent = received = 0
        chunk = b"x" * MEBIBYTE
        sock.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while received < total:
                ((_, events),) = selector.select(DEADLINE)
                # Write while that is possible, and read only when it is not.
                if events & selectors.EVENT_WRITE and sent < total:
                    sent += sock.send(chunk[: total - sent])
                else:
                    received += len(sock.recv(MEBIBYTE))
                    if received % (64 * MEBIBYTE) < 65536:
                        most = max(most, server.memory())
                if sent == total:
                    selector.modify(sock, selectors.EVENT_READ)
        assert most - before < 8 * MEBIBYTE


def test_a_thousand_connections_at_once_each_get_their_own_hundred_lines(server):
    lines = 100
    with selectors.DefaultSelector() as selector:
        for number in range(1000):
            sock = connect(server.port)
            sock.setblocking(False)
            stream = b"".join(b"client %d line %d\r\n" % (number, n) for n in range(lines))
            selector.register(sock, selectors.EVENT_READ, [stream, 0])
        for key in list(selector.get_map().values()):
            key.fileobj.sendall(key.data[0])
        open_connections = 1000
        while open_connections:
            ready = selector.select(DEADLINE)
            assert ready, f"{open_connections} connections have got nothing"
            for key, _ in ready:
                data = key.fileobj.recv(65536)
                stream, position = key.data
                assert data
                assert data == stream[position : position + len(data)]
                key.data[1] += len(data)
                if key.data[1] == len(stream):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    open_connections -= 1
