"""The payloads of subnegotiations: what is between IAC SB OPTION and IAC SE, without escapes.

For each option: functions that format what this end says, answer what the peer asks, and parse what
the peer says. A peer may send any bytes: what is malformed is None, or no answer.

`options`, above, has these functions in its table. Nothing is below this module.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

MAX_TERMINAL_TYPE: Final = 40
"""Largest number of characters in a terminal type (RFC 1091)."""


class LocalInfo(Protocol):
    """Facts about this end that subnegotiations send. `TelnetCodec` provides them.

    `window_size` is columns by rows. `terminal_types_sent` is the number of terminal types that the
    peer has been sent since it got the first one.
    """

    terminal_type: str
    terminal_types_sent: int
    window_size: tuple[int, int]


# TTYPE, RFC 1091: each SEND asks for the next name in a list. The last name comes twice, which
# shows that it is the last, and then the list begins again.
#
# Servers read the list in three ways, and the terminal should be the same to all of them:
#
# - Login hosts (inetutils and netkit telnetd) set TERM to the first name that they know, and most
#   servers ask for one name only. So the first is the terminal.
# - MUDs (Evennia, for example), and telnetlib3, which sets TERM in lower case, take the second for
#   the terminal, if the third is of the Mud Terminal Type Standard (MTTS). So the second is the
#   terminal too, in capitals, because a name that comes twice would end the list.
# - The third is MTTS with what the shell can show. That standard has the client's name in the first
#   place. It is left out, because in either place it would become TERM somewhere.

_IS: Final = b"\0"
SEND: Final = b"\1"
_MTTS: Final = f"MTTS {0x001 | 0x004 | 0x008 | 0x100}"  # ANSI, UTF-8, 256 and 24-bit colours


def answer_terminal_type(own: LocalInfo, received: bytes) -> bytes | None:
    """Answer SEND with the next name."""
    if not received.startswith(SEND):  # some peers add another byte
        return None
    names = list(dict.fromkeys([own.terminal_type, own.terminal_type.upper(), _MTTS]))
    names.append(names[-1])
    name = names[own.terminal_types_sent % len(names)]
    own.terminal_types_sent = (own.terminal_types_sent + 1) % len(names)
    return _IS + name.encode("ascii", "replace")[:MAX_TERMINAL_TYPE]


def parse_terminal_type(payload: bytes) -> str | None:
    """Return the name of a terminal type, if it is printable ASCII without blanks."""
    name = payload[1:].rstrip(b"\0")
    if not payload.startswith(_IS) or not name or len(name) > MAX_TERMINAL_TYPE:
        return None
    return name.decode("ascii") if all(0x20 < byte < 0x7F for byte in name) else None  # noqa: PLR2004


# NAWS, RFC 1073: two bytes for the columns, then two bytes for the rows


def format_window_size(own: LocalInfo) -> bytes:
    """Return the size of the local window. What does not fit into two bytes is made to fit."""
    return b"".join(min(max(length, 0), 0xFFFF).to_bytes(2) for length in own.window_size)


def parse_window_size(payload: bytes) -> tuple[int, int] | None:
    """Return columns and rows; 0 means that the peer leaves the choice to this end."""
    if len(payload) < 4:  # noqa: PLR2004
        return None
    return int.from_bytes(payload[:2]), int.from_bytes(payload[2:4])  # further bytes mean nothing


# CHARSET, RFC 2066. What is sent and shown is UTF-8, of which ASCII is a part.

_REQUEST, _ACCEPTED, _REJECTED = b"\1", b"\2", b"\3"
_TRANSLATION_TABLE: Final = re.compile(rb"\[TTABLE ?\].", re.DOTALL)  # and a version; not supported
_CHARSETS: Final = (b"utf-8", b"us-ascii")


def answer_charset(_: LocalInfo, received: bytes) -> bytes | None:
    """Answer REQUEST: accept the best of the names that are offered, as the peer spells it.

    The first byte of the list is the separator of its names.
    """
    if not received.startswith(_REQUEST):
        return None
    offered = received[1:]
    if table := _TRANSLATION_TABLE.match(offered):
        offered = offered[table.end() :]
    separator, names = offered[:1], offered[1:]
    by_name = {name.lower(): name for name in names.split(separator)} if names else {}
    for charset in _CHARSETS:
        if charset in by_name:
            return _ACCEPTED + by_name[charset]
    return _REJECTED
