"""The server behind a real HAProxy, which tells it of the client in a PROXY header."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from threading import Thread

import pytest

import support
from support import DEADLINE, connect, program, receive_all

pytestmark = pytest.mark.long

CONFIGURATION = """\
defaults
    mode tcp
    timeout connect {deadline}s
    timeout client {deadline}s
    timeout server {deadline}s
listen echo
    bind fd@{fd}
    server echo 127.0.0.1:{port} {header}
"""

MUCH = bytes(range(256)) * 20_000


@contextmanager
def haproxy(server, header, folder):
    """Run HAProxy before `server`; gives the port that it listens on."""
    file = folder / "haproxy.cfg"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        file.write_text(
            CONFIGURATION.format(
                deadline=int(DEADLINE), fd=listener.fileno(), port=server.port, header=header
            )
        )
        command = [program("haproxy"), "-f", file, "-q", "-db"]
        with subprocess.Popen(command, pass_fds=[listener.fileno()]) as process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.kill()


@pytest.fixture(params=["uvloop", "epoll"])
def server(request):
    with support.serve(
        listen=["haproxy:tcp:0:interface=127.0.0.1"], reactor=request.param
    ) as running:
        yield running


@pytest.mark.parametrize("header", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("message", [b"hello", MUCH], ids=["little", "much"])
def test_a_client_that_half_closes_gets_everything(server, header, message, tmp_path):
    with haproxy(server, header, tmp_path) as port:
        for _ in range(5):
            with connect(port) as client:
                sending = Thread(
                    target=lambda: (client.sendall(message), client.shutdown(socket.SHUT_WR))
                )
                sending.start()
                assert receive_all(client) == message
                sending.join(DEADLINE)
    assert "Traceback" not in server.stop()
