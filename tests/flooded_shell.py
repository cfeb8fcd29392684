"""Our shell in a terminal that a test reads at its own speed, while a server sends without end."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import termios
from contextlib import contextmanager, suppress
from threading import Thread
from time import sleep

from support import BIN, DEADLINE

STEP = 0.02
"""Seconds from one piece of what a slow terminal shows to the next."""

PIECE = (b"x" * 62 + b"\r\n") * 1000


@contextmanager
def flood(size: float = float("inf")):
    """The address of a server that sends `size` bytes to one client, and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    sent = 0
                    while sent < size:
                        sock.sendall(PIECE)
                        sent += len(PIECE)
                    sock.recv(1)

        Thread(target=serve, daemon=True).start()
        yield "{}:{}".format(*listener.getsockname())


@contextmanager
def in_pty(*command: object, **env: str):
    """A process in a terminal of its own; the process, and the other side of the terminal."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen(
        ["setsid", "--ctty", *map(str, command)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=os.environ | {"TERM": "xterm-256color"} | env,
    )
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(master)


def shell_in_pty(target: str, state: object):
    """Our shell, with its history below the folder `state`."""
    return in_pty(BIN / "echoproto", target, XDG_STATE_HOME=str(state))


def read(master: int, speed: float | None = None) -> str:
    """What a terminal that shows `speed` bytes a second shows next; "" if nothing comes for now."""
    if speed:
        sleep(STEP)  # this is the speed of the terminal
    if not select.select([master], [], [], STEP)[0]:
        return ""
    return os.read(master, int(speed * STEP) if speed else 65536).decode("utf-8", "replace")
