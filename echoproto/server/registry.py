"""The registry of connections: which are open, who observes them, and how all are closed.

It numbers the connections of every protocol that a factory serves (`factory`), of any kind. It
notifies observers of each connection. The log is an observer, and so is a limit, which closes a
connection before the protocol is connected.
"""

from __future__ import annotations

from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from twisted.logger import Logger

from echoproto.server.drain import drain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from echoproto.server.connection import ServerConnection

log = Logger("echoproto")


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
    may change. Observers are notified of each connection, in their order. The connection of an
    observer that raises is reset.
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
        self._notify("connected", connection)

    def telnet_started(self, connection: ServerConnection) -> None:
        """Notify the observers that the client has negotiated telnet; called by the connection."""
        self._notify("telnet_started", connection)

    def closed(self, connection: ServerConnection, reason: Failure) -> None:
        """Remove a connection that is lost; called by the connection."""
        self.connections.pop(connection, None)
        self._notify("disconnected", connection, reason)

    def _notify(self, method: str, connection: ServerConnection, *arguments: object) -> None:
        """Call a method of each observer. If one raises, log that, and reset the connection.

        The other observers, and the protocol, are notified all the same.
        """
        for observer in tuple(self.observers):
            try:
                getattr(observer, method)(connection, *arguments)
            except Exception:  # noqa: BLE001 - any exception
                log.failure("Unhandled Error")
                if not connection.is_lost:
                    connection.abortConnection()

    async def drain(self, clock: IReactorTime) -> None:
        """Close every connection in order, after the data in flight on it has been delivered.

        `clock` is the reactor. See `echoproto.server.drain`.
        """
        await drain(self.connections, clock)

    def abort(self) -> None:
        """Reset every connection at once. Data in flight is lost."""
        for connection in list(self.connections):
            connection.abortConnection()
