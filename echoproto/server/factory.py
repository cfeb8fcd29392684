"""`LineFactory`: builds protocols, knows the open connections, logs how each begins and ends."""

from __future__ import annotations

from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import deferLater
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress, IReactorTime
    from twisted.python.failure import Failure

    from echoproto.server.protocol import LineProtocol

log = Logger("echoproto")

QUIET = 0.1
"""Seconds without a byte, after which a connection has nothing in flight."""

PATIENCE = 5.0
"""Seconds that a connection may take to get there, when the server ends."""


def show_address(address: IAddress) -> str:
    """An address as a person writes it: HOST:PORT, [HOST]:PORT, or the path of a Unix socket."""
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):
        # A client chooses its name; most have none.
        return f"unix:{repr(address.name)[2:-1]}" if address.name else "unix"
    return str(address)


class LineFactory(ServerFactory):
    """Builds a protocol for each connection, and is its observer.

    `protocol` takes no arguments and returns a `LineProtocol`. Connections are numbered from 1;
    `connections` gives for each open one the time when it opened, by the monotonic clock.
    """

    noisy = False  # Twisted would log each start and stop of the factory
    urgent_in_line = False
    """Whether every port has SO_OOBINLINE set, so that no connection need set it for itself."""

    def __init__(self, protocol: Callable[[], LineProtocol]) -> None:
        self.connections: dict[LineProtocol, float] = {}
        self._build = protocol
        self._ids = count(1)

    def buildProtocol(self, addr: IAddress | None) -> LineProtocol:  # noqa: ARG002
        """Build the protocol for a connection."""
        protocol = self._build()
        protocol.factory = self
        protocol.observer = self
        return protocol

    def connected(self, protocol: LineProtocol) -> None:
        """Number the connection, and log its peer."""
        protocol.connection_id = next(self._ids)
        self.connections[protocol] = monotonic()
        log.info(
            "[{id}] {peer} connected",
            id=protocol.connection_id,
            peer=show_address(protocol.transport.getPeer()),
        )

    def telnetBegan(self, protocol: LineProtocol) -> None:
        """Log that the client is telnet."""
        log.info("[{id}] speaks telnet", id=protocol.connection_id)

    def disconnected(self, protocol: LineProtocol, reason: Failure) -> None:
        """Log what the connection has done, and why it ended."""
        opened = self.connections.pop(protocol)
        log.info(
            "[{id}] {peer} disconnected: {lines} lines, {bytes} bytes, {seconds:.3f} s: {why}",
            id=protocol.connection_id,
            peer=show_address(protocol.transport.getPeer()),
            lines=protocol.lines_received,
            bytes=protocol.bytes_received,
            seconds=monotonic() - opened,
            why=_why(protocol, reason),
        )

    async def drain(self, clock: IReactorTime) -> None:
        """Close every connection, each once what was in flight on it is delivered.

        A connection on which nothing has come for QUIET seconds is closed when all is sent. One
        that does not get there in PATIENCE seconds is aborted.
        """
        deadline = clock.seconds() + PATIENCE
        received: dict[LineProtocol, int] = {}
        while self.connections and clock.seconds() < deadline:
            for protocol in list(self.connections):
                if received.get(protocol) == protocol.bytes_received and not protocol.paused:
                    protocol.transport.loseConnection()
                received[protocol] = protocol.bytes_received
            await deferLater(clock, QUIET)
        if self.connections:
            self.abort()
            await deferLater(clock, QUIET)

    def abort(self) -> None:
        """Close every connection at once. What is in flight is lost."""
        for protocol in list(self.connections):
            protocol.transport.abortConnection()


def _why(protocol: LineProtocol, reason: Failure) -> str:
    if reason.check(ConnectionDone):
        by_server = protocol.transport.disconnecting and not protocol.half_closed
        return f"closed by the {'server' if by_server else 'client'}"
    if reason.check(ConnectionAborted):
        return "aborted by the server"
    return " ".join(reason.getErrorMessage().split())
