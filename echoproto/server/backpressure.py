"""What pauses a connection: its protocol, a peer that does not read, and the end of its turn."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.server.connection import ServerConnection

# What has paused a connection. It resumes as soon as none of them does.
BY_PROTOCOL: Final = 1
BY_TRANSPORT: Final = 2
BY_TURN: Final = 4

TURN_BUDGET: Final = 256
"""Number of events and lines to handle for one connection before all others get their turn."""

MAX_TURN_INPUT: Final = 16 * 1024
"""Largest number of bytes to pass to telnet, or to Twisted's TLS, in one turn of a connection.

Telnet's input may yield no events, and Twisted's TLS cannot stop in the middle.
"""

NO_BUDGET: Final[Iterator[None]] = iter(())
"""The budget of a connection that has not handled anything yet."""


def new_budget() -> Iterator[None]:
    """Return an iterator with an item for each of TURN_BUDGET events or lines.

    `zip` takes the items, and stops with the last one. No other way to count is as cheap.
    """
    return repeat(None, TURN_BUDGET)


@implementer(IPushProducer)
class Backpressure:
    """The producer that a connection registers with its transport.

    The transport pauses it when too much data is waiting to be sent (64 KiB in Twisted), and
    resumes it when everything has been sent. It is a separate object because the connection, as the
    protocol's transport, has methods of the same names that mean something else.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        """Pause: too much data is waiting to be sent."""
        self._connection.pause(BY_TRANSPORT)

    def resumeProducing(self) -> None:
        """Resume: everything has been sent."""
        self._connection.resume(BY_TRANSPORT)

    def stopProducing(self) -> None:
        """Do nothing: the connection is lost."""
