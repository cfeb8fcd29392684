"""`Port`: a listening TCP socket of which uvloop accepts the connections."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp

from echoproto.reactor.transport import TCPTransport

if TYPE_CHECKING:
    from asyncio import Server

    from echoproto.reactor.reactor import UvloopReactor


class Port(tcp.Port):
    """Twisted's port, with its own socket, options, address and log lines.

    Only accepting is uvloop's, on a copy of the socket's descriptor: it can be stopped and started
    again while the socket listens on. Where descriptors run out, libuv accepts what waits and
    closes it at once.
    """

    reactor: UvloopReactor
    socket: socket.socket
    _server: Server | None = None

    @property
    def reading(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    def startReading(self) -> None:
        """Accept connections."""
        if self._server is None:
            serving = self.reactor.loop.create_server(
                self._make_connection,
                sock=self.socket.dup(),
                backlog=socket.SOMAXCONN if self.backlog is None else self.backlog,
            )
            self._server = _run_at_once(serving)
            self.reactor.native[self] = None

    def stopReading(self) -> None:
        """Leave what connects in the backlog."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.reactor.native.pop(self, None)

    def _make_connection(self) -> TCPTransport:
        number = self.sessionno
        self.sessionno = number + 1
        return TCPTransport(self, number)


def _run_at_once(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")
