"""`Port`: a listening TCP socket whose connections uvloop accepts.

`transport` is below this module, and `reactor` is above it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp

from echoproto.reactor.transport import TCPTransport

if TYPE_CHECKING:
    from asyncio import Server

    from echoproto.reactor.reactor import UvloopReactor


class Port(tcp.Port):
    """Twisted's port, with Twisted's socket, options, address and log lines.

    Only accepting is left to uvloop. It accepts on a duplicate of the socket's descriptor, and can
    therefore stop and start again while the socket keeps listening. If the process has no file
    descriptors left, libuv accepts each waiting connection and closes it at once.
    """

    reactor: UvloopReactor
    socket: socket.socket
    _server: Server | None = None

    @property
    def reading(self) -> bool:
        """Whether the port accepts connections."""
        return self._server is not None

    def startReading(self) -> None:
        """Start accepting connections."""
        if self._server is None:
            serving = self.reactor.loop.create_server(
                self._make_connection,
                sock=self.socket.dup(),
                backlog=socket.SOMAXCONN if self.backlog is None else self.backlog,
            )
            self._server = _run_without_waiting(serving)
            self.reactor.native[self] = None

    def stopReading(self) -> None:
        """Stop accepting: leave new connections in the backlog."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.reactor.native.pop(self, None)

    def _make_connection(self) -> TCPTransport:
        number = self.sessionno
        self.sessionno = number + 1
        return TCPTransport(self, number)


def _run_without_waiting(coroutine: Any) -> Any:
    """Run a coroutine that never suspends, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine suspended; it must run without waiting")
