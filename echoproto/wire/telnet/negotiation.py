"""What two telnet peers agree on: the Q method of RFC 1143, for all options of both sides.

The method is the table below, with the queue bit in the names of the states. No peer that keeps to
it can make a loop. For those that do not, and for bytes that got in between two that do, an option
that is turned on again and again with no data in between is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

MAX_TURNS: Final = 8
"""Times that the peer may turn an option on with no data in between."""


class Side(StrEnum):
    """Who does what an option says: this end (WILL is ours to say), or the peer (DO is)."""

    LOCAL = "local"
    REMOTE = "remote"


@dataclass(frozen=True)
class Policy:
    """The options that are agreed to when the peer proposes them, on each side."""

    local: frozenset[int] = frozenset()
    remote: frozenset[int] = frozenset()

    def of(self, side: Side) -> frozenset[int]:
        """The options of `side`."""
        return self.local if side is Side.LOCAL else self.remote


# RFC 1143, section 7, for either side. The queue bit is part of the state's name.


class _State(StrEnum):
    NO = "no"
    YES = "yes"
    WANTNO = "we asked to stop"
    WANTNO_OPPOSITE = "we asked to stop, and will ask to start"
    WANTYES = "we asked to start"
    WANTYES_OPPOSITE = "we asked to start, and will ask to stop"


class _Input(StrEnum):
    AGREED = "the peer says WILL or DO, and the policy has it"
    REFUSED = "the peer says WILL or DO, and the policy has it not"
    STOPPED = "the peer says WONT or DONT"
    ASK_ON = "we would like it"
    ASK_OFF = "we would not"


_NO, _YES = _State.NO, _State.YES
_WANTNO, _WANTNO_OPPOSITE = _State.WANTNO, _State.WANTNO_OPPOSITE
_WANTYES, _WANTYES_OPPOSITE = _State.WANTYES, _State.WANTYES_OPPOSITE
_AGREED, _REFUSED, _STOPPED, _ASK_ON, _ASK_OFF = _Input

# (state, input): (next state, what is said: True is DO or WILL, False is DONT or WONT)
_Q_METHOD: Final[dict[tuple[_State, _Input], tuple[_State, bool | None]]] = {
    (_NO, _AGREED): (_YES, True),
    (_NO, _REFUSED): (_NO, False),
    (_NO, _STOPPED): (_NO, None),
    (_NO, _ASK_ON): (_WANTYES, True),
    (_NO, _ASK_OFF): (_NO, None),
    (_YES, _AGREED): (_YES, None),
    (_YES, _REFUSED): (_YES, None),
    (_YES, _STOPPED): (_NO, False),
    (_YES, _ASK_ON): (_YES, None),
    (_YES, _ASK_OFF): (_WANTNO, False),
    (_WANTNO, _AGREED): (_NO, None),  # an error of the peer's, as in the next line
    (_WANTNO, _REFUSED): (_NO, None),
    (_WANTNO, _STOPPED): (_NO, None),
    (_WANTNO, _ASK_ON): (_WANTNO_OPPOSITE, None),
    (_WANTNO, _ASK_OFF): (_WANTNO, None),
    (_WANTNO_OPPOSITE, _AGREED): (_YES, None),  # an error of the peer's, as in the next line
    (_WANTNO_OPPOSITE, _REFUSED): (_YES, None),
    (_WANTNO_OPPOSITE, _STOPPED): (_WANTYES, True),
    (_WANTNO_OPPOSITE, _ASK_ON): (_WANTNO_OPPOSITE, None),
    (_WANTNO_OPPOSITE, _ASK_OFF): (_WANTNO, None),
    (_WANTYES, _AGREED): (_YES, None),
    (_WANTYES, _REFUSED): (_YES, None),
    (_WANTYES, _STOPPED): (_NO, None),
    (_WANTYES, _ASK_ON): (_WANTYES, None),
    (_WANTYES, _ASK_OFF): (_WANTYES_OPPOSITE, None),
    (_WANTYES_OPPOSITE, _AGREED): (_WANTNO, False),
    (_WANTYES_OPPOSITE, _REFUSED): (_WANTNO, False),
    (_WANTYES_OPPOSITE, _STOPPED): (_NO, None),
    (_WANTYES_OPPOSITE, _ASK_ON): (_WANTYES, None),
    (_WANTYES_OPPOSITE, _ASK_OFF): (_WANTYES_OPPOSITE, None),
}

# When an option is in force: on our side from the peer's consent until we say no; on the peer's
# until the peer has said no, whatever we asked in the meantime.
_ON: Final = {Side.LOCAL: {_YES}, Side.REMOTE: {_YES, _WANTNO, _WANTNO_OPPOSITE}}


class Outcome(NamedTuple):
    """What follows from what one of the two has said."""

    say: bool | None
    """What is to be said: True is DO or WILL, False is DONT or WONT, None is nothing."""
    changed_to: bool | None
    """Whether the option is in force now; None if that has not changed."""


class Negotiation:
    """The state of every option, on each side."""

    __slots__ = ("_policy", "_states", "_turns")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._states: dict[tuple[Side, int], _State] = {}  # those that are not NO
        self._turns: dict[tuple[Side, int], int] = {}  # turned on by the peer, since the last data

    def is_on(self, side: Side, option: int) -> bool:
        """Whether `option` is in force for `side`."""
        return self._states.get((side, option), _NO) in _ON[side]

    def options(self, side: Side) -> list[int]:
        """The options in force for `side`, in the order of their numbers."""
        return sorted(
            option for who, option in self._states if who is side and self.is_on(who, option)
        )

    def received(self, side: Side, option: int, *, on: bool) -> Outcome:
        """The peer says WILL or DO, or else WONT or DONT."""
        if not on:
            return self._go(side, option, _STOPPED)
        turns = self._turns.get((side, option), 0)
        agreed = option in self._policy.of(side) and turns < MAX_TURNS
        outcome = self._go(side, option, _AGREED if agreed else _REFUSED)
        if outcome.changed_to:
            self._turns[side, option] = turns + 1
        return outcome

    def asked(self, side: Side, option: int, *, on: bool) -> Outcome:
        """We would like it so."""
        return self._go(side, option, _ASK_ON if on else _ASK_OFF)

    def data_received(self) -> None:
        """Data has come: whatever turns has gone on, it was for something."""
        if self._turns:
            self._turns.clear()

    def _go(self, side: Side, option: int, received: _Input) -> Outcome:
        """Go where the table says."""
        key = (side, option)
        before = self._states.get(key, _NO)
        after, say = _Q_METHOD[before, received]
        if after is _NO:
            self._states.pop(key, None)
        else:
            self._states[key] = after
        is_on = after in _ON[side]
        return Outcome(say, None if is_on == (before in _ON[side]) else is_on)
