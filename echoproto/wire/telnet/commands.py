"""The commands of telnet, and the events that a telnet layer gives for them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from echoproto.wire.telnet.negotiation import Side


class Command(IntEnum):
    """The byte after IAC."""

    EOF = 236  # RFC 1184
    SUSP = 237
    ABORT = 238
    EOR = 239  # RFC 885
    SE = 240
    NOP = 241
    DM = 242
    BRK = 243
    IP = 244
    AO = 245
    AYT = 246
    EC = 247
    EL = 248
    GA = 249
    SB = 250
    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254
    IAC = 255


NEGOTIATION_COMMAND: Final = {
    (Side.LOCAL, True): Command.WILL,
    (Side.LOCAL, False): Command.WONT,
    (Side.REMOTE, True): Command.DO,
    (Side.REMOTE, False): Command.DONT,
}
"""What we say about an option, by the side that has it and whether it is to be on."""

NEGOTIATION_MEANING: Final[dict[int, tuple[Side, bool]]] = {
    Command.WILL: (Side.REMOTE, True),
    Command.WONT: (Side.REMOTE, False),
    Command.DO: (Side.LOCAL, True),
    Command.DONT: (Side.LOCAL, False),
}
"""What a peer says, in the same terms. The byte after each of these is the option."""


class TelnetStarted(NamedTuple):
    """The peer has shown that it is telnet. What is sent is escaped from now on."""


class CommandReceived(NamedTuple):
    """A command that is none of negotiation; perhaps one that no RFC has."""

    command: int


class OptionChanged(NamedTuple):
    """An option is in force on that side from now on, or no more."""

    side: Side
    option: int
    on: bool


class SubnegotiationReceived(NamedTuple):
    """What stands between IAC SB OPTION and IAC SE.

    `options.parse_subnegotiation` says what that means.

    Whether the option is on is not looked at.
    """

    option: int
    payload: bytes
