"""The registry of connections: which are open, who is told of them, and how all are closed.

It numbers the connections of every protocol that a factory serves (`factory`), whatever protocol
that is. Observers are told of each: the log is an observer, and so is a limit, which closes what it
does not want before the protocol hears of it.
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
"""Seconds without a byte after which a connection has nothing in flight."""

DRAIN_TIMEOUT: Final = 5.0
"""Seconds that a connection may take to get there, when the service stops."""


class Observer:
    """Is told of connections: inherit from it, and write the methods that you want."""

    def connected(self, connection: ServerConnection) -> None:
        """It is open; its protocol does not know yet. To close it now is to refuse it."""

    def telnet_started(self, connection: ServerConnection) -> None:
        """The client has shown that it is telnet."""

    def disconnected(self, connection: ServerConnection, reason: Failure) -> None:
        """It is lost, because of `reason`."""


class Registry:
    """The open connections, numbered from 1; `observers` are told of each, in their order."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self.observers = list(observers)
        self.connections: dict[ServerConnection, None] = {}  # half the memory of a set
        self._numbers = count(1)

    def opened(self, connection: ServerConnection) -> None:
        """Number the connection."""
        connection.number = next(self._numbers)
        connection.opened = monotonic()
        self.connections[connection] = None
        for observer in self.observers:
            observer.connected(connection)

    def telnet_started(self, connection: ServerConnection) -> None:
        """The connection's client has shown that it is telnet."""
        for observer in self.observers:
            observer.telnet_started(connection)

    def closed(self, connection: ServerConnection, reason: Failure) -> None:
        """The connection is lost."""
        self.connections.pop(connection, None)
        for observer in self.observers:
            observer.disconnected(connection, reason)

    async def drain(self, clock: IReactorTime) -> None:
        """Close every connection, each once what was in flight on it is delivered.

        A connection on which nothing has come for DRAIN_IDLE seconds is closed when all is sent.
        One that does not get there in DRAIN_TIMEOUT seconds is aborted.
        """
        deadline = clock.seconds() + DRAIN_TIMEOUT
        received: dict[ServerConnection, int] = {}
        while self.connections and clock.seconds() < deadline:
            for connection in list(self.connections):
                if received.get(connection) == connection.bytes_received and not connection.paused:
                    connection.loseConnection()
                received[connection] = connection.bytes_received
            await deferLater(clock, DRAIN_IDLE)
        if self.connections:
            self.abort()
            await deferLater(clock, DRAIN_IDLE)

    def abort(self) -> None:
        """Reset every connection at once. What is in flight is lost."""
        for connection in list(self.connections):
            connection.abortConnection()
