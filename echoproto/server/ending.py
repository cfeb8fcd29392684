"""The end of a connection, as a table: which events can occur in each state, and what follows.

Each side ends separately, and either can be first. The peer ends its side by half-closing. In a
telnet connection it may send EOF (RFC 1184) instead, and can still reply to negotiation after that.
Our side ends when the protocol calls `loseConnection`, or when the service stops. Four rules
determine the table:

- Everything that the peer sent before it ended its side is delivered first, however long the
  protocol pauses (`ENDED`, `EOF`). Only then is the protocol notified, once. It can still send
  (`NOTIFIED`, `EOF_NOTIFIED`).
- After the peer has ended its side, we close by sending everything and then closing.
- After telnet's EOF, closing at once would reset the connection if the peer is still sending (plink
  is), and the peer would lose what it has not read. Our side therefore only half-closes. The
  connection closes when the peer has closed its side, or after a timeout (`LINGERING`). The same
  applies to TLS, where each side ends with close_notify (RFC 8446, section 6.1).
- After the connection is lost, nothing follows.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

LINGER: Final = 5.0
"""Timeout, in seconds, for the peer to end its side after we have ended ours.

It begins again while what we have sent is still on its way to the peer, and moves.
"""


class State(Enum):
    """How far a connection has come on its way to the end."""

    OPEN = auto()
    ENDED = auto()  # the peer has half-closed; data from before that is not delivered yet
    EOF = auto()  # the same, after telnet's EOF
    NOTIFIED = auto()  # the protocol has been notified that the peer has half-closed
    EOF_NOTIFIED = auto()  # the same, after telnet's EOF
    LINGERING = auto()  # our side has ended, and the peer's has not
    CLOSING = auto()  # the connection closes as soon as everything has been sent
    LOST = auto()


class EndingEvent(Enum):
    """What can occur on a connection."""

    PEER_ENDED = auto()  # FIN, or close_notify
    PEER_EOF = auto()  # telnet's EOF
    DELIVERED = auto()  # everything from before the peer's end has been delivered
    CLOSE = auto()  # our side closes, by closing the transport
    FINISH = auto()  # our side closes, on a transport (TLS) where the peer answers that
    ABORT = auto()  # our side resets the connection
    SENT = auto()  # our half-close is complete: everything has been sent
    TIME_UP = auto()
    LOST = auto()


class Action(Enum):
    """What to do when a transition is taken."""

    DELIVER = auto()  # deliver what is pending; DELIVERED occurs when that is done
    NOTIFY = auto()  # notify the protocol that the peer has ended its side
    HALF_CLOSE = auto()  # end our side; SENT occurs when everything has been sent
    WAIT = auto()  # let TIME_UP occur after LINGER seconds without progress
    CLOSE = auto()  # close the transport as soon as everything has been sent


_OPEN, _ENDED, _EOF, _NOTIFIED, _EOF_NOTIFIED, _LINGERING, _CLOSING, _LOST = State
_PEER_ENDED, _PEER_EOF, _DELIVERED, _CLOSE, _FINISH, _ABORT, _SENT, _TIME_UP, _LOSE = EndingEvent

# An event without a row for the state is ignored. ABORT and LOST can occur in every
# state until the connection is lost.
ENDING: Final[dict[tuple[State, EndingEvent], tuple[State, Action | None]]] = {
    (_OPEN, _PEER_ENDED): (_ENDED, Action.DELIVER),
    (_OPEN, _PEER_EOF): (_EOF, Action.DELIVER),
    (_OPEN, _CLOSE): (_CLOSING, Action.CLOSE),
    (_OPEN, _FINISH): (_LINGERING, Action.HALF_CLOSE),
    (_ENDED, _DELIVERED): (_NOTIFIED, Action.NOTIFY),
    (_ENDED, _CLOSE): (_CLOSING, Action.CLOSE),
    (_ENDED, _FINISH): (_CLOSING, Action.CLOSE),
    (_EOF, _PEER_ENDED): (_ENDED, Action.DELIVER),
    (_EOF, _DELIVERED): (_EOF_NOTIFIED, Action.NOTIFY),
    (_EOF, _CLOSE): (_LINGERING, Action.HALF_CLOSE),
    (_EOF, _FINISH): (_LINGERING, Action.HALF_CLOSE),
    (_NOTIFIED, _CLOSE): (_CLOSING, Action.CLOSE),
    (_NOTIFIED, _FINISH): (_CLOSING, Action.CLOSE),
    (_EOF_NOTIFIED, _PEER_ENDED): (_NOTIFIED, None),
    (_EOF_NOTIFIED, _CLOSE): (_LINGERING, Action.HALF_CLOSE),
    (_EOF_NOTIFIED, _FINISH): (_LINGERING, Action.HALF_CLOSE),
    (_LINGERING, _SENT): (_LINGERING, Action.WAIT),
    (_LINGERING, _PEER_ENDED): (_CLOSING, Action.CLOSE),
    (_LINGERING, _TIME_UP): (_CLOSING, Action.CLOSE),
    **{(state, _ABORT): (_CLOSING, None) for state in State if state is not _LOST},
    **{(state, _LOSE): (_LOST, None) for state in State if state is not _LOST},
}


class EndingActions(Protocol):
    """The actions that `ServerConnection` implements. `Ending` implements the others itself."""

    disconnecting: bool

    @property
    def unsent(self) -> int:
        """Number of bytes that were written and have not reached the peer."""

    @property
    def clock(self) -> IReactorTime:
        """The clock for timeouts."""

    def deliver_end(self) -> None:
        """Deliver what is pending; let DELIVERED occur when that is done."""

    def notify_end(self) -> None:
        """Notify the protocol that the peer has ended its side."""

    def half_close(self) -> None:
        """End our side; let SENT occur when everything has been sent."""

    def close(self) -> None:
        """Close the transport as soon as everything has been sent."""


class Ending:
    """The end of one connection; made at the first event that leads to it."""

    __slots__ = ("_connection", "_time_up", "first", "state")

    def __init__(self, connection: EndingActions) -> None:
        self.state = State.OPEN
        self.first: EndingEvent | None = None
        """The event that left the state OPEN."""
        self._connection = connection
        self._time_up: IDelayedCall | None = None

    @property
    def is_ours(self) -> bool:
        """Whether our side was the first to end the connection."""
        return self.first in (EndingEvent.CLOSE, EndingEvent.FINISH, EndingEvent.ABORT)

    def handle(self, event: EndingEvent) -> None:
        """Take the transition that the table has for `event`, and do its action."""
        before = self.state
        if before is State.LOST:
            return
        self.state, action = ENDING.get((before, event), (before, None))
        self._connection.disconnecting = self.state in (State.LINGERING, State.CLOSING, State.LOST)
        if before is State.OPEN is not self.state:
            self.first = event
        if self.state is State.LOST:
            self._let_go()
        match action:
            case Action.DELIVER:
                self._connection.deliver_end()
            case Action.NOTIFY:
                self._connection.notify_end()
            case Action.HALF_CLOSE:
                self._connection.half_close()
            case Action.CLOSE:
                self._connection.close()
            case Action.WAIT if self._time_up is None:
                self._wait(self._connection.unsent)

    def _wait(self, unsent: int) -> None:
        self._time_up = self._connection.clock.callLater(LINGER, self._wait_or_end, unsent)

    def _wait_or_end(self, before: int) -> None:
        unsent = self._connection.unsent
        if 0 < unsent < before:
            self._wait(unsent)
        else:
            self.handle(EndingEvent.TIME_UP)

    def _let_go(self) -> None:
        """Drop what refers back to the connection."""
        if self._time_up is not None and self._time_up.active():
            self._time_up.cancel()
        del self._connection, self._time_up
