"""Cuts a stream of telnet into commands and data. What they mean is in `telnet`.

IAC (255) begins a command; IAC IAC is one byte 255 of data (RFC 854). A negotiation has three
bytes, every other command two; a subnegotiation is data between the commands SB and SE.

In mode "auto" bytes pass untouched until the peer shows that it is telnet, by WILL, DO, AYT, IP,
AO or BRK. A 255 that begins no command shows that it is not: then they pass untouched for good.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from echoproto.wire.telnet.commands import NEGOTIATION_MEANING, Command, TelnetStarted

TelnetMode: TypeAlias = Literal["auto", "always", "never"]


_IAC: Final = bytes([Command.IAC])
_NEGOTIATION: Final = tuple(bytes([command]) for command in NEGOTIATION_MEANING)

# Data, with each byte 255 doubled, up to the first command or to a last IAC.
_DATA: Final = re.compile(rb"(?:[^\xff]+|\xff\xff)*")

_SHOWS_TELNET: Final = frozenset(
    [Command.WILL, Command.DO, Command.AYT, Command.IP, Command.AO, Command.BRK]
)
# Bytes up to the first 255 that shows whether this is telnet, or to a last one.
_SHOWS_NOTHING: Final = re.compile(
    b"(?:[^\xff]+|\xff[%b])*" % bytes(code for code in Command if code not in _SHOWS_TELNET)
)


class Scanner:
    """The bytes that have arrived, taken piece by piece."""

    __slots__ = ("_before", "_data", "_pos", "mode")

    def __init__(self, mode: TelnetMode) -> None:
        self.mode: TelnetMode = mode
        self._data = b""  # what has come; [_pos:] is not taken yet
        self._pos = 0
        self._before = 0  # bytes that came before _data

    @property
    def taken(self) -> int:
        """How many bytes were taken."""
        return self._before + self._pos

    @property
    def pending(self) -> bytes:
        """The bytes that were not taken."""
        return self._data[self._pos :]

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        if data:
            self._before += self._pos
            self._data = self._data[self._pos :] + data
            self._pos = 0

    def end(self) -> bytes:
        """Nothing more comes: take what is held, and return it if it is data."""
        rest = self.take_rest()
        return b"" if self.mode == "always" else rest

    def take_rest(self) -> bytes:
        """Take what is held, as it is."""
        rest = self.pending
        self._pos = len(self._data)
        return rest

    def next(self) -> bytes | tuple[int, ...] | TelnetStarted | None:
        """Take the next piece of data, or the next command; None if neither is whole.

        A command is a tuple of numbers: itself and, if it is one of negotiation, its option.
        """
        if self._pos == len(self._data):
            return None
        if self.mode != "always":
            return self._next_untouched()
        start, end = self._pos, len(self._data)
        if self._data.find(_IAC, start) >= 0:
            end = _end_of_run(_DATA, self._data, start)
        if end > start:
            self._pos = end
            data = self._data[start:end]
            return data.replace(_IAC + _IAC, _IAC) if _IAC in data else data
        length = 3 if self._data[end + 1 : end + 2] in _NEGOTIATION else 2
        command = self._data[end : end + length]
        if len(command) < length:
            return None
        self._pos += length
        return tuple(command[1:])

    def _next_untouched(self) -> bytes | TelnetStarted | None:
        """Take what is plain; turn to telnet, or to plain for good, where the peer shows it."""
        data, end = self._data, len(self._data)
        if self.mode == "auto" and data.find(_IAC, self._pos) >= 0:
            undecided = _end_of_run(_SHOWS_NOTHING, data, self._pos)
            shown = data[undecided + 1 : undecided + 2]
            if shown and shown[0] not in _SHOWS_TELNET:
                self.mode = "never"
            elif undecided == self._pos and shown:
                self.mode = "always"
                return TelnetStarted()
            elif undecided < end:
                end = undecided
        plain = data[self._pos : end]
        self._pos = end
        return plain or None


def _end_of_run(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    match = pattern.match(data, start)
    return match.end() if match else start
