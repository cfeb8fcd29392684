"""The telnet options: a table with one entry for each. All else about an option follows from it.

To add an option, add its entry to `Option` and write its test. The entry defines which programs
agree to the option, what is sent when the option is enabled, how its subnegotiation is parsed and
answered, and which words describe it to a person. The policies, the codec, the callbacks of the
server's protocol and the shell's command `options` are derived from the entry.

`codec`, above, implements the effect of an option on the data: BINARY changes how line ends are
sent and received, and ECHO with SGA changes what a typed Enter sends. `negotiation` is below, and
so is `subnegotiations`, whose functions are in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, IntEnum, auto
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from echoproto.wire.telnet.negotiation import Policy, Side
from echoproto.wire.telnet.subnegotiations import (
    SEND,
    answer_charset,
    answer_terminal_type,
    format_window_size,
    parse_terminal_type,
    parse_window_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from echoproto.wire.telnet.subnegotiations import LocalInfo


class Role(Flag):
    """The kinds of programs that speak telnet. Each kind agrees to different options."""

    NONE = 0
    SERVER = auto()
    PIPE = auto()  # a client whose data comes from a program
    SHELL = auto()  # a client whose data a person types
    CLIENT = PIPE | SHELL
    ALL = SERVER | CLIENT


@dataclass(frozen=True)
class SideEntry:
    """One side of an option: LOCAL or REMOTE."""

    agreed_by: Role = Role.NONE
    """The programs that agree when the peer proposes the option for this side."""
    words: str = ""
    """What this side does while the option is in effect, as the end of a sentence.

    The sentence begins with "This shell" or "The server". The words are a format string, in which
    `own` is a LocalInfo.
    """
    begin: Callable[[LocalInfo], bytes] | None = None
    """Returns the payload of the subnegotiation to send when the option comes into effect."""
    answer: Callable[[LocalInfo, bytes], bytes | None] | None = None
    """Returns the payload that answers a received one while the option is in effect, or None."""
    asks_for_other: bool = False
    """Whether this end, when the peer has enabled the option here, requests it of the peer too."""


class SubnegotiationValue(NamedTuple):
    """The value that the peer sent in a subnegotiation.

    `attribute` is the name of the protocol's attribute that stores the value, and `callback` is the
    name of the protocol's method that is called with it.
    """

    value: Any
    attribute: str
    callback: str

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the callback: the items of a tuple, or the value itself."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True)
class Entry:
    """The table's entry for one option."""

    number: int
    rfc: int
    local: SideEntry = SideEntry()
    remote: SideEntry = SideEntry()
    parse: Callable[[bytes], Any] | None = None
    """Returns the value in the payload of a subnegotiation from the peer.

    Returns None if the payload carries no value or is malformed.
    """
    attribute: str = ""
    """The protocol's attribute that stores the value."""
    callback: str = ""
    """The protocol's method that is called with the value."""
    each_time: bool = False
    """Whether each DO is answered by itself, in its place among the data, and has no state.

    The answer is WILL if `local` is agreed to, and WONT otherwise.
    """


class Option(IntEnum):
    """The telnet options that echoproto implements, by name and number.

    A negotiation may name any other number from 0 to 255 too. `Option(31)` is `Option.NAWS`; any
    number that is not in the table raises ValueError. `entry` is the option's entry in the table.
    """

    entry: Entry

    def __new__(cls, entry: Any) -> Self:  # noqa: D102 - an Entry, but typed Any: Option(31) is valid too
        option = int.__new__(cls, entry.number)
        option._value_ = entry.number
        option.entry = entry
        return option

    BINARY = Entry(
        number=0,
        rfc=856,
        local=SideEntry(Role.ALL, "sends 8-bit data unchanged"),
        remote=SideEntry(Role.ALL, "sends 8-bit data unchanged"),
    )
    ECHO = Entry(
        number=1,
        rfc=857,
        remote=SideEntry(Role.SHELL, "echoes what you type"),
    )
    SGA = Entry(
        number=3,
        rfc=858,
        # Some servers that take each key by itself ask for SGA and wait to be asked: Twisted's.
        local=SideEntry(Role.CLIENT, "sends no go-ahead", asks_for_other=True),
        remote=SideEntry(Role.CLIENT, "sends no go-ahead"),
    )
    # No client agrees: inetutils-telnetd asks for a mark to find clients in "kludge line mode", and
    # takes SGA back from one that answers WILL. plink, busybox and tf answer WONT too.
    TIMING_MARK = Entry(
        number=6, rfc=860, local=SideEntry(Role.SERVER, "answers timing marks"), each_time=True
    )
    TTYPE = Entry(
        number=24,
        rfc=1091,
        local=SideEntry(
            Role.SHELL, "sends its terminal type, {own.terminal_type}", answer=answer_terminal_type
        ),
        remote=SideEntry(Role.SERVER, "sends its terminal type", begin=lambda _: SEND),
        parse=parse_terminal_type,
        attribute="terminal_type",
        callback="terminalTypeReceived",
    )
    END_OF_RECORD = Entry(
        number=25, rfc=885, remote=SideEntry(Role.SHELL, "marks the end of each prompt")
    )
    NAWS = Entry(
        number=31,
        rfc=1073,
        local=SideEntry(
            Role.SHELL,
            "sends its window size, {own.window_size[0]}x{own.window_size[1]}",
            begin=format_window_size,
        ),
        remote=SideEntry(Role.SERVER, "sends its window size"),
        parse=parse_window_size,
        attribute="window_size",
        callback="windowSizeChanged",
    )
    # Either side may offer the option, and each server offers it, or asks for it, in its own way.
    CHARSET = Entry(
        number=42,
        rfc=2066,
        local=SideEntry(Role.SHELL, "chooses a character set", answer=answer_charset),
        remote=SideEntry(Role.SHELL, "offers character sets", answer=answer_charset),
    )


# What is derived from the table

_ENTRIES: Final = {int(option): option.entry for option in Option}
_NO_SIDE_ENTRY: Final = SideEntry()
_SIDE_ENTRIES: Final = {
    (side, number): of_side
    for number, entry in _ENTRIES.items()
    for side, of_side in ((Side.LOCAL, entry.local), (Side.REMOTE, entry.remote))
}

EACH_TIME: Final = frozenset(number for number, entry in _ENTRIES.items() if entry.each_time)
"""The options of which each DO is answered by itself; they have no state."""

ANSWERS: Final = {
    number: [
        (side, of_side.answer)
        for side, of_side in ((Side.LOCAL, entry.local), (Side.REMOTE, entry.remote))
        if of_side.answer
    ]
    for number, entry in _ENTRIES.items()
}
"""By option: each side on which a received subnegotiation is answered, and its `answer`."""


def _policy(role: Role) -> Policy:
    return Policy(
        *(
            frozenset(
                number
                for (entry_side, number), of_side in _SIDE_ENTRIES.items()
                if entry_side is side and role in of_side.agreed_by
            )
            for side in (Side.LOCAL, Side.REMOTE)
        )
    )


SERVER_POLICY: Final = _policy(Role.SERVER)
"""The policy of the server. It refuses ECHO and SGA: clients then let a person edit the line."""
PIPE_POLICY: Final = _policy(Role.PIPE)
"""The policy of a client whose data comes from a program."""
SHELL_POLICY: Final = _policy(Role.SHELL)
"""The policy of a client whose data is typed."""


def side_entry(side: Side, option: int) -> SideEntry:
    """Return the table's entry for one side of an option, or an empty entry if there is none."""
    return _SIDE_ENTRIES.get((side, option), _NO_SIDE_ENTRY)


def describe(side: Side, option: int, own: LocalInfo) -> str:
    """Describe what `side` does while the option is in effect: "sends its window size, 80x24".

    Return "" if the table has no words for that side of the option.
    """
    return side_entry(side, option).words.format(own=own)


def parse_subnegotiation(option: int, payload: bytes) -> SubnegotiationValue | None:
    """Return the value that a received subnegotiation carries.

    For NAWS, the value is columns and rows; 0 means that the peer leaves the choice to us. For
    TTYPE, the value is the name of the terminal type. Return None if the payload carries no value
    or is malformed.
    """
    entry = _ENTRIES.get(option)
    value = entry.parse(payload) if entry and entry.parse else None
    return (
        None
        if entry is None or value is None
        else SubnegotiationValue(value, entry.attribute, entry.callback)
    )
