"""The end of a connection, as a table: what can happen in each state, and what follows.

Two ends can come in any order. The peer ends its side: it half-closes, or in a telnet connection it
sends EOF (RFC 1184), after which it may still send answers to negotiation. And we end ours: the
protocol calls `loseConnection`, or the service stops. Four rules make the table:

- What the peer sent before its end is delivered before the protocol hears of the end, however long
  the protocol pauses (`ENDED`, `EOF`). Only then is it told, once; it may still answer (`NOTIFIED`,
  `EOF_NOTIFIED`).
- After the peer's own end, to close is to send everything and then close.
- After telnet's EOF, closing at once would reset the connection if the peer still sends (plink
  does), and what it has not read yet would be lost. So our side only half-closes, and the
  connection closes when the peer has closed its side, or when time is up (`LINGERING`). The same
  holds for TLS, where each side ends with close_notify (RFC 8446, section 6.1).
- Once the connection is lost, nothing follows.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

LINGER: Final = 5.0
"""Seconds that a peer has to end its side of the connection after we have ended ours."""


class State(Enum):
    """How far the end has come."""

    OPEN = auto()
    ENDED = auto()  # the peer has half-closed; what it sent before is still to be delivered
    EOF = auto()  # the same, after telnet's EOF
    NOTIFIED = auto()  # the protocol knows that the peer has half-closed
    EOF_NOTIFIED = auto()  # the same, after telnet's EOF
    LINGERING = auto()  # our side has ended; the peer's has not
    CLOSING = auto()  # the connection closes once all is sent
    LOST = auto()


class Event(Enum):
    """What can happen to a connection."""

    PEER_ENDED = auto()  # FIN, or close_notify
    PEER_EOF = auto()  # telnet's EOF
    DELIVERED = auto()  # all that came before the end was delivered
    CLOSE = auto()  # we want to close, by closing the transport
    FINISH = auto()  # we want to close, on a transport (TLS) where the peer answers our end
    ABORT = auto()  # we reset the connection
    SENT = auto()  # our half-close is done: all is sent
    TIME_UP = auto()
    LOST = auto()


class Action(Enum):
    """What follows."""

    DELIVER = auto()  # deliver what is left; DELIVERED happens when that is done
    NOTIFY = auto()  # tell the protocol that the peer has ended
    HALF_CLOSE = auto()  # end our side; SENT happens when all is sent
    WAIT = auto()  # let TIME_UP happen in LINGER seconds
    CLOSE = auto()  # close the transport once all is sent


_OPEN, _ENDED, _EOF, _NOTIFIED, _EOF_NOTIFIED, _LINGERING, _CLOSING, _LOST = State
_PEER_ENDED, _PEER_EOF, _DELIVERED, _CLOSE, _FINISH, _ABORT, _SENT, _TIME_UP, _LOSE = Event

# What is not in the table changes nothing. Until the connection is lost, it
# can be aborted, and lost, in every state.
ENDING: Final[dict[tuple[State, Event], tuple[State, Action | None]]] = {
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
    """What has an end: `ServerConnection`. An action that is no method here is `Ending`'s own."""

    disconnecting: bool

    @property
    def clock(self) -> IReactorTime:
        """The clock."""

    def deliver_end(self) -> None:
        """Deliver what is left; let DELIVERED happen when that is done."""

    def notify_end(self) -> None:
        """Tell the protocol that the peer has ended."""

    def half_close(self) -> None:
        """End our side; let SENT happen when all is sent."""

    def close(self) -> None:
        """Close the transport once all is sent."""


class Ending:
    """The end of one connection, from the first thing that leads to it."""

    __slots__ = ("_connection", "_time_up", "first", "state")

    def __init__(self, connection: EndingActions) -> None:
        self.state = State.OPEN
        self.first: Event | None = None
        """What happened first of all that led to the end."""
        self._connection = connection
        self._time_up: IDelayedCall | None = None

    @property
    def is_ours(self) -> bool:
        """Whether our side was the first to end."""
        return self.first in (Event.CLOSE, Event.FINISH, Event.ABORT)

    def handle(self, event: Event) -> None:
        """Go where the table says, and do what it says."""
        before = self.state
        self.state, action = ENDING.get((before, event), (before, None))
        self._connection.disconnecting = self.state in (State.LINGERING, State.CLOSING, State.LOST)
        if before is State.OPEN is not self.state:
            self.first = event
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
                self._time_up = self._connection.clock.callLater(LINGER, self.handle, Event.TIME_UP)
            case None if self.state is State.LOST and self._time_up and self._time_up.active():
                self._time_up.cancel()
