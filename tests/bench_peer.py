"""`echoproto bench` in a short run, and servers that echo, or not quite."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress

from support import BIN, DEADLINE, run

ECHOPROTO = BIN / "echoproto"


def bench(*words):
    """Run a short one; its status, its result, and what it says."""
    done = run(ECHOPROTO, "bench", *words, "--json")
    result = json.loads(done.stdout) if done.stdout else None
    return done.returncode, result, done.stderr.decode()


@contextmanager
def peer(serve, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """A server that has a thread in `serve` for each connection; gives its target."""

    def accept():
        with suppress(OSError):
            while True:
                sock = listener.accept()[0]
                sock.settimeout(DEADLINE)
                threads.append(threading.Thread(target=handle, args=[sock]))
                threads[-1].start()

    def handle(sock):
        with sock, suppress(OSError):
            serve(sock)

    threads = []
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(1000)
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        name = listener.getsockname()
        try:
            yield f"unix://{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(DEADLINE)
            for thread in threads:
                thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads)


def echo(change=lambda data, _: data):
    """A server that echoes what `change` makes of each chunk, after so many bytes."""

    def serve(sock):
        so_far = 0
        while data := sock.recv(65536):
            sock.sendall(change(data, so_far))
            so_far += len(data)

    return serve
