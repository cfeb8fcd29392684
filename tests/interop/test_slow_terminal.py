"""Our shell in a terminal that shows little at a time, while a server sends much."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import termios
from contextlib import contextmanager, suppress
from threading import Thread
from time import monotonic, sleep

import pytest

from support import BIN, DEADLINE, memory

SPEED = 50_000
"""Bytes a second that the terminal shows."""

STEP = 0.02


@pytest.fixture
def flood():
    """The address of a server that sends without end, and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    while True:
                        sock.sendall((b"x" * 62 + b"\r\n") * 1000)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield "{}:{}".format(*listener.getsockname())


@contextmanager
def shell_in_a_pty(target, state):
    """Our shell; its process, and the other side of its terminal."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen(
        ["setsid", "--ctty", BIN / "echoproto", target],
        stdin=slave, stdout=slave, stderr=slave,
        env=os.environ | {"TERM": "xterm-256color", "XDG_STATE_HOME": str(state)},
    )  # fmt: skip
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(master)


def read_slowly(master, done):
    """Read SPEED bytes a second until `done` holds for the text; the text."""
    text = ""
    end = monotonic() + DEADLINE
    while not done(text):
        assert monotonic() < end, text[-300:]
        if select.select([master], [], [], 1)[0]:
            text += os.read(master, int(SPEED * STEP)).decode()
        sleep(STEP)  # this is the speed of the terminal
    return text


def test_a_key_is_shown_before_the_rest_of_a_flood(flood, tmp_path):
    with shell_in_a_pty(flood, tmp_path) as (process, master):
        read_slowly(master, lambda text: len(text) > 60_000)  # it has found out how slow this is
        before = []
        for key in "QWERTY":
            os.write(master, key.encode())
            before.append(len(read_slowly(master, lambda text: key in text)))  # noqa: B023
        assert max(before) < 32 * 1024  # 20 KiB of them are those that the terminal has taken
        assert sum(before[1:]) < 32 * 1024  # while keys come, no more is printed
        assert memory(process) < 120 << 20
