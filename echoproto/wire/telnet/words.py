"""Telnet in words, for a person: the names of commands and options, and what is negotiated.

The words are those of the RFCs: `IAC WILL ECHO`, `IAC SB TTYPE IS "dumb" IAC SE`. An option without
a name is its number: `IAC DO 200 (unknown)`.

`wire_view` uses this module. `commands`, `options` and `dump` are below it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from echoproto.wire.dump import escape
from echoproto.wire.telnet.commands import NEGOTIATION_MEANING, Command
from echoproto.wire.telnet.options import Option, parse_subnegotiation

MAX_PAYLOAD: Final = 64
"""Number of bytes of a subnegotiation that are put into words. An ellipsis is for the rest."""

_VERBS: Final[dict[int, dict[int, str]]] = {
    Option.TTYPE: {0: "IS", 1: "SEND"},
    Option.CHARSET: {1: "REQUEST", 2: "ACCEPTED", 3: "REJECTED"},
}
"""By option: the words for the first byte of a subnegotiation."""

# The options that echoproto does not implement, from IANA's register of telnet options, and those
# that MUDs use. The table in `options` has the names of all others.
_OTHER_NAMES: Final = {
    2: "RCP", 4: "NAMS", 5: "STATUS", 7: "RCTE", 8: "NAOL", 9: "NAOP", 10: "NAOCRD",
    11: "NAOHTS", 12: "NAOHTD", 13: "NAOFFD", 14: "NAOVTS", 15: "NAOVTD", 16: "NAOLFD",
    17: "EXTEND-ASCII", 18: "LOGOUT", 19: "BM", 20: "DET", 21: "SUPDUP", 22: "SUPDUP-OUTPUT",
    23: "SEND-LOCATION", 26: "TUID", 27: "OUTMRK", 28: "TTYLOC",
    29: "3270-REGIME", 30: "X.3-PAD", 32: "TERMINAL-SPEED", 33: "REMOTE-FLOW-CONTROL",
    34: "LINEMODE", 35: "X-DISPLAY-LOCATION", 36: "ENVIRON", 37: "AUTHENTICATION", 38: "ENCRYPT",
    39: "NEW-ENVIRON", 40: "TN3270E", 41: "XAUTH", 43: "RSP", 44: "COM-PORT",
    45: "SUPPRESS-LOCAL-ECHO", 46: "START-TLS", 47: "KERMIT", 48: "SEND-URL", 49: "FORWARD-X",
    69: "MSDP", 70: "MSSP", 85: "MCCP1", 86: "MCCP2", 87: "MCCP3", 90: "MSP", 91: "MXP",
    93: "ZMP", 138: "PRAGMA-LOGON", 139: "SSPI-LOGON", 140: "PRAGMA-HEARTBEAT",
    201: "GMCP", 255: "EXTENDED-OPTIONS-LIST",
}  # fmt: skip


_OPTION_NAMES: Final = _OTHER_NAMES | {
    int(option): option.name.replace("_", "-") for option in Option
}
_COMMAND_NAMES: Final = {int(command): command.name for command in Command}


def option_name(option: int) -> str:
    """Return the name of an option, or its number and "(unknown)"."""
    return _OPTION_NAMES.get(option, f"{option} (unknown)")


@cache  # a peer can send half a million commands in a MiB
def command_words(command: bytes) -> str:
    """Put a command into words, from its IAC to its last byte: not a subnegotiation.

    A command that is not complete ends in an ellipsis.
    """
    if len(command) == 1:
        return "IAC …"
    code = command[1]
    name = _COMMAND_NAMES.get(code, f"{code} (unknown)")
    if code not in NEGOTIATION_MEANING:
        return f"IAC {name}"
    return f"IAC {name} {option_name(command[2]) if command[2:] else '…'}"


def subnegotiation_words(content: bytes) -> str:
    """Put a subnegotiation into words. `content` is what stands between SB and SE, unescaped."""
    if not content:
        return "IAC SB IAC SE"
    words = ["IAC SB", option_name(content[0]), *_payload_words(content[0], content[1:]), "IAC SE"]
    return " ".join(words)


def _payload_words(option: int, payload: bytes) -> list[str]:
    if option == Option.NAWS and (size := parse_subnegotiation(option, payload)):
        columns, rows = size.value
        return [f"{columns}x{rows}"]
    words = []
    if payload and (verb := _VERBS.get(option, {}).get(payload[0])):
        words, payload = [verb], payload[1:]
    return [*words, f'"{_shown(payload)}"'] if payload else words


def _shown(payload: bytes) -> str:
    return escape(payload[:MAX_PAYLOAD]) + ("…" if len(payload) > MAX_PAYLOAD else "")
