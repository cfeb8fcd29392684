"""Backpressure: a peer that does not read what it is sent is not read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from echoproto.server.connection import ServerConnection

# Who has paused a connection. It reads on when nobody has.
BY_PROTOCOL: Final = 1
BY_TRANSPORT: Final = 2


@implementer(IPushProducer)
class Backpressure:
    """The producer that a connection registers with its transport.

    The transport pauses it when too much is unsent (64 KiB in Twisted), and resumes it when all is
    sent. It is an object of its own because to the protocol the connection is a transport, which
    has methods of the same names.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        """Too much is unsent."""
        self._connection.pause(BY_TRANSPORT)

    def resumeProducing(self) -> None:
        """All is sent."""
        self._connection.resume(BY_TRANSPORT)

    def stopProducing(self) -> None:
        """The connection is lost: there is nothing to stop."""
