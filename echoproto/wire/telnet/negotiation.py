"""Option negotiation between two telnet peers: the Q method of RFC 1143, for both sides.

The rules:

- The method is the table `_Q_METHOD`. The queue bit of RFC 1143 is part of the names of the states.
- Two peers that follow the method cannot negotiate in a loop.
- A peer that does not follow it can loop, and so can two that do if stray bytes get into the
  stream. An option that the peer enables more than MAX_TURNS times without data in between is
  therefore refused.

Nothing is below this module. `codec` turns the commands of the peer into calls of `Negotiation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

MAX_TURNS: Final = 8
"""Number of times that the peer may enable an option without data in between."""


class Side(StrEnum):
    """The side on which an option is in effect.

    LOCAL is this end, which offers the option with WILL. REMOTE is the peer: this end requests the
    option with DO.
    """

    LOCAL = "local"
    REMOTE = "remote"

    @property
    def other(self) -> Side:
        """The side that is not this one."""
        return Side.REMOTE if self is Side.LOCAL else Side.LOCAL


@dataclass(frozen=True)
class Policy:
    """The options to agree to when the peer proposes them, for each side.

    `local` and `remote` are sets of option numbers: options of this end, and options of the peer.
    Every other option is refused.
    """

    local: frozenset[int] = frozenset()
    remote: frozenset[int] = frozenset()

    def of(self, side: Side) -> frozenset[int]:
        """Return the options to agree to on `side`."""
        return self.local if side is Side.LOCAL else self.remote


# RFC 1143, section 7, for either side. The queue bit is part of the name of the state.


class _State(StrEnum):
    NO = "no"
    YES = "yes"
    WANTNO = "asked to disable"
    WANTNO_OPPOSITE = "asked to disable, and will ask to enable"
    WANTYES = "asked to enable"
    WANTYES_OPPOSITE = "asked to enable, and will ask to disable"


class _Input(StrEnum):
    AGREED = "the peer sent WILL or DO, and we agree"
    REFUSED = "the peer sent WILL or DO, and we refuse"
    STOPPED = "the peer sent WONT or DONT"
    ASK_ON = "the application asks to enable the option"
    ASK_OFF = "the application asks to disable the option"


_NO, _YES = _State.NO, _State.YES
_WANTNO, _WANTNO_OPPOSITE = _State.WANTNO, _State.WANTNO_OPPOSITE
_WANTYES, _WANTYES_OPPOSITE = _State.WANTYES, _State.WANTYES_OPPOSITE
_AGREED, _REFUSED, _STOPPED, _ASK_ON, _ASK_OFF = _Input

# (state, input): (next state, what to send). True is DO or WILL, False is DONT or WONT, and None is
# nothing.
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
    (_WANTNO, _AGREED): (_NO, None),  # a protocol error of the peer, as is the next line
    (_WANTNO, _REFUSED): (_NO, None),
    (_WANTNO, _STOPPED): (_NO, None),
    (_WANTNO, _ASK_ON): (_WANTNO_OPPOSITE, None),
    (_WANTNO, _ASK_OFF): (_WANTNO, None),
    (_WANTNO_OPPOSITE, _AGREED): (_YES, None),  # a protocol error of the peer, as is the next line
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

# The states in which an option is in effect. On the local side it is in effect from the peer's
# consent until we send WONT. On the remote side it stays in effect until the peer has sent WONT,
# even if we have already asked the peer to disable it.
_ON: Final = {Side.LOCAL: {_YES}, Side.REMOTE: {_YES, _WANTNO, _WANTNO_OPPOSITE}}


class Outcome(NamedTuple):
    """The result of one transition."""

    to_send: bool | None
    """What to send: True is DO or WILL, False is DONT or WONT, None is nothing."""
    changed_to: bool | None
    """Whether the option is now in effect, or None if that has not changed."""


def _change(side: Side, before: _State, after: _State) -> bool | None:
    is_on = after in _ON[side]
    return None if is_on == (before in _ON[side]) else is_on


# (side, state, input): (next state, outcome)
_TRANSITIONS: Final = {
    (side, before, received): (after, Outcome(to_send, _change(side, before, after)))
    for side in Side
    for (before, received), (after, to_send) in _Q_METHOD.items()
}


class Negotiation:
    """The state of every option, on each side.

    `policy` lists the options to agree to. `in_effect` has the options that are in effect on each
    side. `turns` counts how often the peer has enabled each option: clear it when data arrives,
    which shows that the peer is not in a loop.
    """

    __slots__ = ("_states", "in_effect", "policy", "turns")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.in_effect: dict[Side, set[int]] = {side: set() for side in Side}
        self._states: dict[tuple[Side, int], _State] = {}  # an option not listed is NO
        self.turns: dict[tuple[Side, int], int] = {}

    def is_on(self, side: Side, option: int) -> bool:
        """Return whether `option` is in effect on `side`."""
        return option in self.in_effect[side]

    def options(self, side: Side) -> list[int]:
        """Return the options in effect on `side`, sorted by number."""
        return sorted(self.in_effect[side])

    def received(self, side: Side, option: int, *, on: bool) -> Outcome:
        """Handle WILL or DO from the peer if `on` is true, otherwise WONT or DONT."""
        if not on:
            return self._transition(side, option, _STOPPED)
        turns = self.turns.get((side, option), 0)
        agreed = option in self.policy.of(side) and turns < MAX_TURNS
        outcome = self._transition(side, option, _AGREED if agreed else _REFUSED)
        if outcome.changed_to:
            self.turns[side, option] = turns + 1
        return outcome

    def asked(self, side: Side, option: int, *, on: bool) -> Outcome:
        """Handle a request of the application to enable the option, or else to disable it."""
        return self._transition(side, option, _ASK_ON if on else _ASK_OFF)

    def _transition(self, side: Side, option: int, received: _Input) -> Outcome:
        """Make the transition that the table gives for the input `received`."""
        key = (side, option)
        after, outcome = _TRANSITIONS[side, self._states.get(key, _NO), received]
        if after is _NO:
            self._states.pop(key, None)
        else:
            self._states[key] = after
        if outcome.changed_to:
            self.in_effect[side].add(option)
        elif outcome.changed_to is False:
            self.in_effect[side].remove(option)
        return outcome
