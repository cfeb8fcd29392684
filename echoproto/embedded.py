"""The echo server that comes with the client: a separate process, on a free loopback port.

The client opens the listening socket and passes it on, so that it can connect before the server has
started. The server runs as long as its standard input is open, so that it ends with the client,
however the client ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def embedded_server() -> Iterator[int]:
    """Run the server during the block; yields its port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # Twisted requires this of a socket that it adopts
        port: int = listener.getsockname()[1]
        # -P keeps Python from importing modules in the working directory. In a new session, Ctrl-C
        # goes to the client alone.
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "echoproto.embedded", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    with server:  # at the end, closes its standard input and waits for its exit
        yield port


def serve(fd: int) -> None:
    """Serve echo on the listening socket `fd` until standard input ends."""
    from twisted.internet import reactor as installed
    from twisted.internet import stdio
    from twisted.internet.protocol import Protocol, connectionDone

    from echoproto.server.echo import EchoProtocol
    from echoproto.server.factory import LineFactory

    class UntilEnd(Protocol):
        def connectionLost(self, reason: object = connectionDone) -> None:  # noqa: ARG002
            reactor.stop()

    reactor: Any = installed
    reactor.adoptStreamPort(fd, socket.AF_INET, LineFactory(EchoProtocol))  # duplicates it
    os.close(fd)
    stdio.StandardIO(UntilEnd())
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
