"""Unix sockets: what a server that was killed leaves behind, and what is never taken away."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import warnings

import pytest
from twisted.internet.protocol import Factory

from echoproto.errors import CannotStartError
from echoproto.server.echo import EchoProtocol
from echoproto.server.listener import make_listener
from echoproto.server.registry import Registry
from echoproto.server.service import EchoService
from support import DEADLINE, receive_exactly, start


class Echoes(Factory):
    noisy = False
    protocol = EchoProtocol


@pytest.fixture
def listen(running, tmp_path):
    """Start a service that listens on a Unix socket; it is stopped at the end."""

    def listen():
        listener = make_listener(running.reactor, f"unix:{tmp_path}/echo.sock")
        services.append(EchoService(running.reactor, [listener], Echoes(), Registry()))
        running.call(services[-1].startService)

    services = []
    yield listen
    for service in services:
        running.call(service.stopService)


def refusal(listen):
    """Return why it cannot start."""
    with warnings.catch_warnings():
        # Twisted leaves a socket that it could not bind to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(CannotStartError) as error:
            listen()
        message = str(error.value)
        del error
        gc.collect()
    return message


def leave_behind(folder, pid):
    """Leave the files of a server that had the process ID `pid`, and was killed."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "echo.sock"))
    (folder / "echo.sock.lock").symlink_to(str(pid))


def is_served(folder):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(str(folder / "echo.sock"))
        client.sendall(b"hello")
        echo = receive_exactly(client, 5)
    return echo == b"hello" and (folder / "echo.sock.lock").readlink().name == str(os.getpid())


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(DEADLINE)
    return process.pid


def test_the_socket_of_a_server_that_was_killed_is_taken_over(listen, tmp_path):
    leave_behind(tmp_path, ended_process())
    listen()
    assert is_served(tmp_path)


def test_in_a_container_the_next_server_has_the_same_process_id_and_starts(listen, tmp_path):
    leave_behind(tmp_path, os.getpid())
    listen()
    assert is_served(tmp_path)


def test_a_process_id_that_another_program_has_now_is_no_obstacle(listen, tmp_path):
    with start("sleep", "1000") as process:
        leave_behind(tmp_path, process.pid)
        listen()
        assert is_served(tmp_path)


def test_the_socket_of_another_program_stays_however_often_a_start_fails(listen, tmp_path):
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(tmp_path / "echo.sock"))
        theirs.listen()
        for _ in range(3):
            assert refusal(listen).endswith(": Address already in use")
            assert [each.name for each in tmp_path.iterdir()] == ["echo.sock"]
        (tmp_path / "echo.sock.lock").symlink_to(str(ended_process()))
        assert refusal(listen).endswith(": another process listens there")
        assert (tmp_path / "echo.sock").exists()


def test_a_second_port_of_the_same_server_leaves_the_first_alone(listen, tmp_path):
    listen()
    for _ in range(2):
        assert refusal(listen).endswith(": another process listens there")
        assert is_served(tmp_path)


def test_a_file_that_is_no_socket_stays(listen, tmp_path):
    (tmp_path / "echo.sock").write_text("mine")
    (tmp_path / "echo.sock.lock").symlink_to(str(os.getpid()))
    for _ in range(2):
        assert refusal(listen).endswith(": Address already in use")
    assert (tmp_path / "echo.sock").read_text() == "mine"
