"""`Port`: a listening TCP socket whose connections uvloop accepts.

`transport` is below this module, and `reactor` is above it.
"""

from __future__ import annotations

import resource
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

from twisted.internet import tcp

from echoproto.reactor.transport import TCPTransport

if TYPE_CHECKING:
    from asyncio import Server, Transport

    from echoproto.reactor.reactor import UvloopReactor

RESERVE: Final = 32
"""File descriptors to keep for other things than connections: at most an eighth of the limit."""


class Port(tcp.Port):
    """Twisted's port, with Twisted's socket, options, address and log lines.

    Only accepting is left to uvloop. It accepts on a duplicate of the socket's descriptor, and can
    therefore stop and start again while the socket keeps listening.

    If no descriptors were left, libuv would accept each waiting connection and close it, and tell
    nobody. The port therefore keeps a reserve: below that, it closes new connections itself, and
    logs them as Twisted's port does.
    """

    reactor: UvloopReactor
    socket: socket.socket
    _server: Server | None = None
    _first_reserved = 0  # new descriptors get the lowest free number

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

    def admits(self, transport: Transport) -> bool:
        """Whether a connection that uvloop has accepted is to be served. If not, log why."""
        peer = transport.get_extra_info("peername")
        if peer is None:
            self._logger.info(
                "Could not accept new connection ({acceptError})", acceptError="ECONNABORTED"
            )
            return False
        if transport.get_extra_info("socket").fileno() >= self._first_reserved:
            self._first_reserved = _first_reserved_descriptor()  # the limit can have been changed
            if transport.get_extra_info("socket").fileno() >= self._first_reserved:
                self._logger.info("EMFILE recovery: Closed socket from {address}", address=peer)
                return False
        return bool(self.connected)

    def _make_connection(self) -> TCPTransport:
        number = self.sessionno
        self.sessionno = number + 1
        return TCPTransport(self, number)


def _first_reserved_descriptor() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit - min(RESERVE, limit // 8) if limit != resource.RLIM_INFINITY else sys.maxsize


def _run_without_waiting(coroutine: Any) -> Any:
    """Run a coroutine that never suspends, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine suspended; it must run without waiting")
