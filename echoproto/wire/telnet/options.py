"""The telnet options: a table with one entry for each, from which all else about them is derived.

To add an option, add its entry to `Option` and write its test. The entry says who agrees to the
option, what is sent when it turns on, how a subnegotiation of it is read and answered, and which
words describe it to people. The policies, the codec, the callbacks of the server's protocol and the
command `options` of the shell follow from it. What an option does to the data is in `telnet`:
BINARY changes the line ends there, and ECHO with SGA what a typed Enter is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, IntEnum, auto
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from echoproto.wire.telnet.negotiation import Policy, Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

MAX_TERMINAL_TYPE: Final = 40
"""Characters, by RFC 1091."""


class Role(Flag):
    """What kind of program speaks telnet: each agrees to other options."""

    NONE = 0
    SERVER = auto()
    PIPE = auto()  # a client that a program uses
    SHELL = auto()  # a client that a person uses: the shell
    CLIENT = PIPE | SHELL
    ALL = SERVER | CLIENT


class LocalInfo(Protocol):
    """What this end may tell of itself; `TelnetCodec` has it."""

    terminal_type: str
    window_size: tuple[int, int]


@dataclass(frozen=True)
class SideEntry:
    """An option as one side has it."""

    agreed_by: Role = Role.NONE
    """Who agrees when the peer proposes it."""
    words: str = ""
    """What the side does that has it on, after "This shell" or "The server"; `own` is a
    LocalInfo."""
    begin: Callable[[LocalInfo], bytes] | None = None
    """The subnegotiation that we send when the option turns on."""
    answer: Callable[[LocalInfo, bytes], bytes | None] | None = None
    """Our answer, if any, to a subnegotiation that is received while the option is on."""


class SubnegotiationValue(NamedTuple):
    """What a peer tells in a subnegotiation, and where a protocol keeps it and is told of it."""

    value: Any
    attribute: str
    callback: str

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the callback is called with."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True)
class Entry:
    """All that is known of one option."""

    number: int
    rfc: int
    local: SideEntry = SideEntry()
    remote: SideEntry = SideEntry()
    parse: Callable[[bytes], Any] | None = None
    """What a subnegotiation of the peer tells; None if it tells nothing or is not well formed."""
    attribute: str = ""
    callback: str = ""
    each_time: bool = False
    """DO is answered with WILL each time, in its place among the data: it leads to no state."""


# TTYPE, RFC 1091

_IS, _SEND = b"\0", b"\1"


def _name_terminal(own: LocalInfo, received: bytes) -> bytes | None:
    if received != _SEND:
        return None
    return _IS + own.terminal_type.encode("ascii", "replace")[:MAX_TERMINAL_TYPE]


def _parse_terminal_type(payload: bytes) -> str | None:
    name = payload[1:]
    if not payload.startswith(_IS) or not name or len(name) > MAX_TERMINAL_TYPE:
        return None
    return name.decode("ascii") if all(0x20 < byte < 0x7F for byte in name) else None  # noqa: PLR2004


# NAWS, RFC 1073: two bytes for the columns, two for the rows


def _tell_window_size(own: LocalInfo) -> bytes:
    return b"".join(min(max(length, 0), 0xFFFF).to_bytes(2) for length in own.window_size)


def _parse_window_size(payload: bytes) -> tuple[int, int] | None:
    if len(payload) != 4:  # noqa: PLR2004
        return None
    return int.from_bytes(payload[:2]), int.from_bytes(payload[2:])


class Option(IntEnum):
    """The options that have a meaning here; any other number may be named in a negotiation too."""

    entry: Entry

    def __new__(cls, entry: Any) -> Self:  # noqa: D102 - an Entry; Any, as Option(31) is right too
        option = int.__new__(cls, entry.number)
        option._value_ = entry.number
        option.entry = entry
        return option

    BINARY = Entry(
        number=0,
        rfc=856,
        local=SideEntry(Role.ALL, "sends 8-bit data as it is"),
        remote=SideEntry(Role.ALL, "sends 8-bit data as it is"),
    )
    ECHO = Entry(
        number=1,
        rfc=857,
        remote=SideEntry(Role.SHELL, "echoes what is typed, so that it is hidden here"),
    )
    SGA = Entry(
        number=3,
        rfc=858,
        local=SideEntry(Role.CLIENT, "sends no go-ahead"),
        remote=SideEntry(Role.CLIENT, "sends no go-ahead"),
    )
    TIMING_MARK = Entry(number=6, rfc=860, each_time=True)
    TTYPE = Entry(
        number=24,
        rfc=1091,
        local=SideEntry(
            Role.SHELL, "tells its terminal type, {own.terminal_type}", answer=_name_terminal
        ),
        remote=SideEntry(Role.SERVER, "tells its terminal type", begin=lambda _: _SEND),
        parse=_parse_terminal_type,
        attribute="terminal_type",
        callback="terminalTypeReceived",
    )
    NAWS = Entry(
        number=31,
        rfc=1073,
        local=SideEntry(
            Role.SHELL,
            "tells its window size, {own.window_size[0]}x{own.window_size[1]}",
            begin=_tell_window_size,
        ),
        remote=SideEntry(Role.SERVER, "tells its window size"),
        parse=_parse_window_size,
        attribute="window_size",
        callback="windowSizeChanged",
    )


# What follows from the table

_ENTRIES: Final = {int(option): option.entry for option in Option}
_NOTHING: Final = SideEntry()
_SIDE_ENTRIES: Final = {
    (side, number): half
    for number, entry in _ENTRIES.items()
    for side, half in ((Side.LOCAL, entry.local), (Side.REMOTE, entry.remote))
}

EACH_TIME: Final = frozenset(number for number, entry in _ENTRIES.items() if entry.each_time)
"""The options that are answered each time, and never on."""


def _policy(role: Role) -> Policy:
    return Policy(
        *(
            frozenset(
                o
                for (of, o), half in _SIDE_ENTRIES.items()
                if of is side and role in half.agreed_by
            )
            for side in (Side.LOCAL, Side.REMOTE)
        )
    )


SERVER_POLICY: Final = _policy(Role.SERVER)
"""What the server agrees to. Without ECHO and SGA, clients let a person edit the line."""
PIPE_POLICY: Final = _policy(Role.PIPE)
"""What a client agrees to whose data comes from a program."""
SHELL_POLICY: Final = _policy(Role.SHELL)
"""What a client agrees to whose data is typed."""


def side_entry(side: Side, option: int) -> SideEntry:
    """What the table has on an option of any number, as `side` has it."""
    return _SIDE_ENTRIES.get((side, option), _NOTHING)


def describe(side: Side, option: int, own: LocalInfo) -> str:
    """What `side` does that has the option on, in words: "tells its window size, 80x24"."""
    return side_entry(side, option).words.format(own=own)


def parse_subnegotiation(option: int, payload: bytes) -> SubnegotiationValue | None:
    """What a subnegotiation that was received tells; None if nothing, or nothing well formed.

    NAWS: columns and rows, 0 where the peer leaves that to us. TTYPE: the name.
    """
    entry = _ENTRIES.get(option)
    value = entry.parse(payload) if entry and entry.parse else None
    return (
        None
        if entry is None or value is None
        else SubnegotiationValue(value, entry.attribute, entry.callback)
    )
