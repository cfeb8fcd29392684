"""The echo server that comes with the client: a process of its own, on a free loopback port.

The client opens the listening socket and hands it over, so that it can connect before the server
has started. The server lives as long as its standard input is open: it ends with the client,
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
    """Run the server for the time of the block; gives its port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # what Twisted adopts must be
        port: int = listener.getsockname()[1]
        # -P: nothing in the working directory is imported. A session of its own: Ctrl-C is for the
        # client alone.
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "echoproto.embedded", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    with server:  # closes its standard input, and waits for it
        yield port


def serve(fd: int) -> None:
    """Serve echo on the listening socket `fd`, until standard input ends."""
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
