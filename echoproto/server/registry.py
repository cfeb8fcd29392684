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

    from echoproto.server.connection import Connection

DRAIN_IDLE: Final = 0.1
"""Seconds without a byte after which a connection has nothing in flight."""

A_TURN: Final = 0.001
"""Seconds to wait, so that the reactor reads what has come in between."""

DRAIN_TIMEOUT: Final = 5.0
"""Seconds that a connection may take to get there, when the service stops."""


class Observer:
    """Is told of connections: inherit from it, and write the methods that you want."""

    def connected(self, connection: Connection) -> None:
        """It is open; its protocol does not know yet. To close it now is to refuse it."""

    def telnetBegan(self, connection: Connection) -> None:
        """The client has shown that it is telnet."""

    def disconnected(self, connection: Connection, reason: Failure) -> None:
        """It is lost, because of `reason`."""


class Registry:
    """The open connections, numbered from 1; `observers` are told of each, in their order."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self.observers = list(observers)
        self.connections: dict[Connection, None] = {}  # half the memory of a set
        self._numbers = count(1)

    def opened(self, connection: Connection) -> None:
        """Number the connection."""
        connection.number = next(self._numbers)
        connection.opened = monotonic()
        self.connections[connection] = None
        for observer in self.observers:
            observer.connected(connection)

    def began_telnet(self, connection: Connection) -> None:
        """The connection's client has shown that it is telnet."""
        for observer in self.observers:
            observer.telnetBegan(connection)

    def closed(self, connection: Connection, reason: Failure) -> None:
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
        received: dict[Connection, int | None] = {}
        while self.connections and clock.seconds() < deadline:
            for connection in list(self.connections):
                # While it is paused it does not read, however much has come.
                count = None if connection.paused else connection.bytes_received
                if count is not None and received.get(connection) == count:
                    connection.loseConnection()
                received[connection] = count
            await deferLater(clock, DRAIN_IDLE)
            # On a busy machine time may be up before what has come was read: a reactor looks at its
            # clock first.
            await deferLater(clock, A_TURN)
        if self.connections:
            self.abort()
            await deferLater(clock, DRAIN_IDLE)

    def abort(self) -> None:
        """Reset every connection at once. What is in flight is lost."""
        for connection in list(self.connections):
            connection.abortConnection()
