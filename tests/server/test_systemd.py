"""Sockets that systemd passes on: they are used, and left as they were."""

from __future__ import annotations

import signal
import socket
import stat
import sys
from pathlib import Path

import pytest
from twisted.internet.protocol import Factory

from echoproto.server.echo import EchoProtocol
from echoproto.server.listener import Listener
from echoproto.server.registry import Registry
from echoproto.server.service import EchoService
from echoproto.server.systemd import SystemdEndpoint
from support import BIN, DEADLINE, receive_all, receive_exactly, watched

pytestmark = pytest.mark.long

WRAPPER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
names = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo"}
os.execve(sys.argv[2], sys.argv[2:], os.environ | names)
"""


@pytest.fixture(params=["INET", "UNIX"])
def listening(request, tmp_path):
    """A socket that listens, as systemd makes one, and its domain."""
    family = getattr(socket, f"AF_{request.param}")
    with socket.socket(family) as sock:
        sock.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "echo.sock"))
        if family == socket.AF_UNIX:
            (tmp_path / "echo.sock").chmod(0o600)
        sock.listen()
        yield sock, request.param


def dial(sock):
    client = socket.socket(sock.family)
    client.settimeout(DEADLINE)
    client.connect(sock.getsockname())
    return client


def activated(sock, where, reactor="uvloop"):
    """Run `twistd -n echo` as systemd does, with a socket as descriptor 3."""
    twistd = [BIN / "twistd", "-n", "--pidfile=", "--reactor", reactor, "echo", "-l", where]
    number = sock.fileno()
    return watched(sys.executable, "-c", WRAPPER, str(number), *twistd, pass_fds=[number])


@pytest.mark.parametrize("which", ["index=0", "name=echo"])
def test_the_socket_is_served_and_stays_for_the_next_start(listening, which, reactor):
    sock, domain = listening
    for _ in range(2):
        # This client is there before the server: it inherits nothing that the server sets.
        with dial(sock) as early:
            early.sendall(b"a")
            early.send(b"b", socket.MSG_OOB)
            early.sendall(b"c")
            with activated(sock, f"systemd:domain={domain}:{which}", reactor) as (process, log):
                assert receive_exactly(early, 3) == b"abc"
                early.shutdown(socket.SHUT_WR)
                assert receive_all(early) == b""
                log.wait_for("disconnected: 3 bytes")
                process.send_signal(signal.SIGTERM)
                assert process.wait(DEADLINE) == 0
            assert "Traceback" not in log.text
        if domain == "UNIX":
            assert stat.S_IMODE(Path(sock.getsockname()).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("systemd:domain=INET:index=1", "no such socket was passed (LISTEN_PID, LISTEN_FDS "),
        ("systemd:domain=INET:name=other", "no such socket was passed (LISTEN_PID, LISTEN_FDS "),
        ("systemd:domain=INET6:index=0", "domain=INET6: the socket is of the domain INET"),
        ("systemd:domain=UNIX:name=echo", "domain=UNIX: the socket is of the domain INET"),
    ],
)
def test_a_socket_that_was_not_passed_is_one_line_and_status_2(where, message):
    with (
        socket.create_server(("127.0.0.1", 0)) as sock,
        activated(sock, where) as (process, log),
    ):
        assert process.wait(DEADLINE) == 2
        output = log.wait_for_end()
    assert output.startswith(f"twistd echo: --listen {where}: {message}")
    assert output.count("\n") == 1


@pytest.fixture
def serve(running):
    """Serve echo on a socket; the service."""

    def serve(sock, domain):
        endpoint = SystemdEndpoint(running.reactor, sock.fileno(), domain)
        endpoints.append(endpoint)
        factory = Factory.forProtocol(EchoProtocol)
        factory.noisy = False
        service = EchoService(
            running.reactor, [Listener("systemd:", endpoint)], factory, Registry()
        )
        services.append(service)
        running.call(service.startService)
        return service

    services, endpoints = [], []
    yield serve
    for service in services:
        running.call(service.stopService)
    for endpoint in endpoints:
        endpoint._socket.close()


def test_it_listens_again_after_it_has_stopped(serve, running, listening):
    service = serve(*listening)
    running.call(service.stopService)
    with dial(listening[0]) as client:  # waits until the service listens again
        client.sendall(b"hello")
        running.call(service.startService)
        assert receive_exactly(client, 5) == b"hello"


def test_a_connection_that_waited_has_the_options_too(serve, running, listening):
    sock, domain = listening
    with dial(sock) as early:
        early.sendall(b"hello")
        service = serve(sock, domain)
        assert receive_exactly(early, 5) == b"hello"
        (connection,) = running.call(lambda: list(service._registry.connections))
        handle = running.call(connection.getHandle)
        assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
        assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 262_144
        if domain == "INET":
            assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_what_is_no_listening_socket_of_streams_is_refused(tmp_path):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET) as silent,
        (tmp_path / "file").open("w") as file,
    ):
        for sock in (datagrams, silent):
            with pytest.raises(ValueError, match="the socket does not listen for streams; "):
                SystemdEndpoint(None, sock.fileno(), "INET")
        with pytest.raises(ValueError, match=r"descriptor \d+ is no socket: "):
            SystemdEndpoint(None, file.fileno(), "INET")
