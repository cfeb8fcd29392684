"""The server that comes with the client: it lives exactly as long as the client does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from echoproto.embedded import embedded_server
from socket_probes import is_refused
from support import DEADLINE, connect, eventually, receive_all, receive_exactly, start

CLIENT = """
import signal, sys
from echoproto.embedded import embedded_server

signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
with embedded_server() as port:
    print(port, flush=True)
    sys.stdin.read()
"""


def test_one_can_connect_at_once_and_every_byte_comes_back():
    message = bytes(range(256)).replace(b"\xff", b"") * 1000
    with embedded_server() as port, connect(port) as sock:
        sock.sendall(message)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == message


def test_it_has_ended_when_the_block_ends():
    with embedded_server() as port:
        client = connect(port)
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
    with client:
        assert receive_all(client) == b""
    assert is_refused(port)


def test_it_ends_with_a_client_that_is_killed():
    with start(sys.executable, "-c", CLIENT) as client:
        port = int(client.stdout.readline())
        with connect(port) as sock:
            sock.sendall(b"hello")
            assert receive_exactly(sock, 5) == b"hello"
            client.kill()
            assert receive_all(sock) == b""
    eventually(lambda: is_refused(port), "the server has ended")


def test_an_interrupt_is_for_the_client_alone():
    with start(sys.executable, "-c", CLIENT, start_new_session=True) as client:
        port = int(client.stdout.readline())
        # At once: a reactor that runs already goes on after KeyboardInterrupt.
        os.killpg(client.pid, signal.SIGINT)
        assert client.stdout.readline() == b"interrupted\n"
        with connect(port) as sock:
            sock.sendall(b"hello")
            assert receive_exactly(sock, 5) == b"hello"


@pytest.mark.parametrize("name", ["twisted", "socket", "echoproto"])
def test_nothing_in_the_working_directory_is_imported(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    command = [sys.executable, "-P", "-c", CLIENT]
    with start(*command, cwd=tmp_path, stderr=subprocess.PIPE) as client:
        with connect(int(client.stdout.readline())) as sock:
            sock.sendall(b"hello")
            assert receive_exactly(sock, 5) == b"hello"
        assert client.communicate(timeout=DEADLINE)[1] == b""
