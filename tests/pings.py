"""Runs `echoproto ping`, and the servers that it meets in tests."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress

from support import BIN, DEADLINE, matching, run

ECHOPROTO = BIN / "echoproto"
QUICK = ["-i", "0.01"]


def ping(*words, **kwargs):
    """Run it; its status, the lines that it prints, and what it says."""
    done = run(ECHOPROTO, "ping", *words, **kwargs)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


@contextmanager
def peer(serve, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """A server of one connection, of which `serve` gets a file of lines, and the socket."""

    def accept():
        with closing(listener.accept()[0]) as sock, suppress(OSError):
            sock.settimeout(DEADLINE)
            with sock.makefile("rb") as lines:
                serve(lines, sock)

    with socket.socket(family) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(address)
        listener.listen()
        thread = threading.Thread(target=accept)
        thread.start()
        name = listener.getsockname()
        try:
            yield f"unix://{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"
        finally:
            thread.join(DEADLINE)
    assert not thread.is_alive()


def answered(target, number, text=None):
    """The line for an answer; `text` is what it says."""
    size = len(f"ping {number}" if text is None else text)
    what = "" if text is None else f": {text}"
    return matching(rf"{size} bytes from {target}: seq={number} time=\d+\.\d{{3}} ms{what}")


def statistics(target, what):
    return [f"--- {target} ping statistics ---", matching(rf"{what}, time \d+ ms")]
