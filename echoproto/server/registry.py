"""The registry of connections: which are open, who observes them, and how all are closed.

It numbers the connections of every protocol that a factory serves (`factory`), of any kind. It
notifies observers of each connection. The log is an observer, and so is a limit, which closes a
connection before the protocol is connected.
"""

from __future__ import annotations

from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Final

from twisted.internet.task import deferLater

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from echoproto.server.connection import ServerConnection

DRAIN_IDLE: Final = 0.1
"""Seconds without a byte after which a connection is taken to have nothing in flight."""

DRAIN_TURN: Final = 0.001
"""Seconds to wait so that the reactor reads what has arrived meanwhile."""

DRAIN_TIMEOUT: Final = 5.0
"""Timeout, in seconds, for connections to get there when the service stops."""


class Observer:
    """Is notified of connections. Subclass it, and override the methods that you need."""

    def connected(self, connection: ServerConnection) -> None:
        """Handle a new connection; its protocol is not connected yet.

        To refuse the connection, call its `loseConnection` or `abortConnection`.
        """

    def telnet_started(self, connection: ServerConnection) -> None:
        """Handle a connection whose client has negotiated telnet."""

    def disconnected(self, connection: ServerConnection, reason: Failure) -> None:
        """Handle the loss of a connection; `reason` is a Twisted Failure."""


class Registry:
    """The open connections, numbered from 1.

    `connections` holds them; it is a dict for the sake of memory. `observers` is a list, which you
    may change. Observers are notified of each connection, in their order.
    """

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self.observers = list(observers)
        self.connections: dict[ServerConnection, None] = {}  # half the memory of a set
        self._numbers = count(1)

    def opened(self, connection: ServerConnection) -> None:
        """Add a connection, and number it; called by the connection."""
        connection.number = next(self._numbers)
        connection.opened = monotonic()
        self.connections[connection] = None
        for observer in self.observers:
            observer.connected(connection)

    def telnet_started(self, connection: ServerConnection) -> None:
        """Notify the observers that the client has negotiated telnet; called by the connection."""
        for observer in self.observers:
            observer.telnet_started(connection)

    def closed(self, connection: ServerConnection, reason: Failure) -> None:
        """Remove a connection that is lost; called by the connection."""
        self.connections.pop(connection, None)
        for observer in self.observers:
            observer.disconnected(connection, reason)

    async def drain(self, clock: IReactorTime) -> None:
        """Close every connection, after the data in flight on it has been delivered.

        A connection that has received nothing for DRAIN_IDLE seconds is closed as soon as
        everything has been sent. Connections that are still open after DRAIN_TIMEOUT seconds are
        reset. `clock` is the reactor.
        """
        deadline = clock.seconds() + DRAIN_TIMEOUT
        received: dict[ServerConnection, int | None] = {}
        while self.connections and clock.seconds() < deadline:
            for connection in list(self.connections):
                # A paused connection does not read, so its count says nothing.
                count = None if connection.paused else connection.bytes_received
                if count is not None and received.get(connection) == count:
                    connection.loseConnection()
                received[connection] = count
            await deferLater(clock, DRAIN_IDLE)
            # A reactor runs timers before it reads. After a stall of the process, data may have
            # arrived that is not counted yet.
            await deferLater(clock, DRAIN_TURN)
        if self.connections:
            self.abort()
            await deferLater(clock, DRAIN_IDLE)

    def abort(self) -> None:
        """Reset every connection at once. Data in flight is lost."""
        for connection in list(self.connections):
            connection.abortConnection()
