"""How connections end when the service stops: each in order, as soon as it is ready.

For each connection:

1. While data arrives, it is served. After DRAIN_IDLE seconds without a byte, our side ends: what is
   written is sent, and then the end. What still arrives is dropped.
2. A peer that goes on sending gets DRAIN_TIMEOUT seconds. One that reads slowly, so that the
   connection is paused, gets the time that it takes to serve what can have been in flight.
3. As long as what we have written moves, it has all the time that it takes. If nothing moves for
   STALL seconds, the peer does not read: our side ends, and after as long again the connection is
   dropped. The peer can still read what the system has by then. Nothing is reset.
4. When everything has reached the peer, and it has ended its side or is quiet, the connection
   closes. If the peer goes on sending, it closes after the timeout of `ending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.task import deferLater

from echoproto.server.backpressure import BY_TRANSPORT
from echoproto.server.ending import EndingEvent

if TYPE_CHECKING:
    from collections.abc import Collection

    from twisted.internet.interfaces import IReactorTime

    from echoproto.server.connection import ServerConnection

DRAIN_IDLE: Final = 0.1
"""Seconds without a byte after which a connection is taken to have nothing in flight."""

DRAIN_TURN: Final = 0.001
"""Seconds to wait so that the reactor reads what has arrived meanwhile."""

DRAIN_TIMEOUT: Final = 5.0
"""Seconds after which the service stops serving what still arrives."""

MAX_IN_FLIGHT: Final = 8 << 20
"""Number of bytes that systems hold at most between two programs, or somewhat more (tcp(7))."""

STALL: Final = 5.0
"""Seconds without progress after which our side ends, and then the connection."""


async def drain(connections: Collection[ServerConnection], clock: IReactorTime) -> None:
    """Close the connections of a registry, which removes them when they are lost."""
    draining: dict[ServerConnection, _Draining] = {}
    deadline = clock.seconds() + DRAIN_TIMEOUT
    while connections:
        now = clock.seconds()
        draining = {each: draining.get(each) or _Draining(each, now) for each in connections}
        for each in draining.values():
            each.look(now, is_late=now >= deadline)
        await deferLater(clock, DRAIN_IDLE)
        # A reactor runs timers before it reads. After a stall of the process, data may have arrived
        # that is not counted yet.
        await deferLater(clock, DRAIN_TURN)


class _Draining:
    """What `drain` has seen of a connection."""

    __slots__ = ("_connection", "_first", "_moved", "_paused", "_received", "_unsent")

    def __init__(self, connection: ServerConnection, now: float) -> None:
        self._connection = connection
        self._first = connection.bytes_received
        self._received: int | None = None  # bytes
        self._unsent = connection.unsent
        self._moved = now  # when `_unsent` changed last
        self._paused = now - DRAIN_TIMEOUT  # when it was paused last, because its peer was slow

    def look(self, now: float, *, is_late: bool) -> None:
        """Do what is next for the connection."""
        connection = self._connection
        # A paused connection does not read, so its count says nothing.
        received = None if connection.paused else connection.bytes_received
        is_quiet = received is not None and received == self._received
        unsent = connection.unsent
        if unsent != self._unsent:
            self._unsent, self._moved = unsent, now
        self._received = received
        if connection.paused & BY_TRANSPORT:
            self._paused = now
        # A connection whose peer reads slowly is not paused at every look.
        is_slow = now - self._paused < DRAIN_TIMEOUT and (
            connection.bytes_received - self._first < MAX_IN_FLIGHT
        )
        is_stalled = now - self._moved >= STALL
        if not connection.disconnecting:
            if is_quiet or is_stalled or (is_late and not is_slow):
                connection.finish()
                self._received, self._moved = None, now
        elif is_quiet and not unsent:
            connection.handle_ending(EndingEvent.TIME_UP)
        elif is_stalled:
            connection.drop()
