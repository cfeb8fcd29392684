"""The commands of telnet, and the events that a telnet layer yields for them.

`scanner`, `codec` and the applications above them use this module; only `negotiation` is below it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from echoproto.wire.telnet.negotiation import Side


class Command(IntEnum):
    """A telnet command: the byte after IAC (RFC 854, unless another RFC is named)."""

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
"""The command to send about an option, by its side and by whether the option is to be enabled."""

NEGOTIATION_MEANING: Final[dict[int, tuple[Side, bool]]] = {
    Command.WILL: (Side.REMOTE, True),
    Command.WONT: (Side.REMOTE, False),
    Command.DO: (Side.LOCAL, True),
    Command.DONT: (Side.LOCAL, False),
}
"""The side, and whether the option is to be enabled, by the command that the peer has sent.

The byte after each of these commands is the option.
"""


class TelnetStarted(NamedTuple):
    """The peer has shown that it is telnet. From now on, data that is sent is escaped."""


class CommandReceived(NamedTuple):
    """A command that is not part of a negotiation. No RFC need define it."""

    command: int


class OptionChanged(NamedTuple):
    """An option has come into effect on `side` (`on` is true), or is no longer in effect."""

    side: Side
    option: int
    on: bool


class SubnegotiationReceived(NamedTuple):
    """A subnegotiation. `payload` is the bytes between IAC SB OPTION and IAC SE, unescaped.

    `options.parse_subnegotiation` parses the payload. The layer does not check whether the option
    is in effect.
    """

    option: int
    payload: bytes
