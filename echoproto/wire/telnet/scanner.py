"""Cut a stream of telnet into commands and data. `codec`, above, handles their meaning.

The rules:

- IAC (255) begins a command. IAC IAC is one data byte 255 (RFC 854).
- A negotiation has three bytes, and every other command has two. A subnegotiation is data between
  the commands SB and SE.
- In mode "auto", bytes pass unchanged until the peer shows that it is telnet, by sending WILL, DO,
  AYT, IP, AO or BRK.
- In mode "auto", a byte 255 that does not begin a command shows that the peer is not telnet. From
  then on, bytes pass unchanged until the connection ends.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from echoproto.wire.telnet.commands import NEGOTIATION_MEANING, Command, TelnetStarted

TelnetMode: TypeAlias = Literal["auto", "always", "never"]
"""When a connection is telnet: always, never, or as soon as the peer shows that it is ("auto")."""


_IAC: Final = bytes([Command.IAC])
_NEGOTIATION: Final = tuple(bytes([command]) for command in NEGOTIATION_MEANING)

# Matches data, in which each byte 255 is doubled, up to the first command or to an IAC at the end.
_DATA: Final = re.compile(rb"(?:[^\xff]+|\xff\xff)*")

_SHOWS_TELNET: Final = frozenset(
    [Command.WILL, Command.DO, Command.AYT, Command.IP, Command.AO, Command.BRK]
)
# Matches bytes up to the first 255 that shows whether the peer is telnet, or to a 255 at the end.
_UNDECIDED: Final = re.compile(
    b"(?:[^\xff]+|\xff[%b])*" % bytes(code for code in Command if code not in _SHOWS_TELNET)
)


class Scanner:
    """A scanner that takes the bytes that have arrived piece by piece.

    `mode` changes from "auto" to "always" or "never" as soon as the peer shows which it is.
    """

    __slots__ = ("_data", "_data_offset", "_pos", "mode")

    def __init__(self, mode: TelnetMode) -> None:
        self.mode: TelnetMode = mode
        self._data = b""  # the input; the bytes from `_pos` on are not taken yet
        self._pos = 0
        self._data_offset = 0  # number of bytes that arrived before `_data`

    @property
    def taken(self) -> int:
        """Number of bytes taken so far."""
        return self._data_offset + self._pos

    @property
    def pending(self) -> bytes:
        """The bytes that have arrived and are not taken yet."""
        return self._data[self._pos :]

    def feed(self, data: bytes) -> None:
        """Add `data`, which has just arrived."""
        if data:
            self._data_offset += self._pos
            self._data = self._data[self._pos :] + data
            self._pos = 0

    def end(self) -> bytes:
        """Handle the end of input: take the pending bytes, and return them if they are data.

        In telnet, the pending bytes are an unfinished command, which is dropped.
        """
        rest = self.take_rest()
        return b"" if self.mode == "always" else rest

    def take_rest(self) -> bytes:
        """Take the pending bytes, and return them unchanged."""
        rest = self.pending
        self._pos = len(self._data)
        return rest

    def next(self) -> bytes | tuple[int, ...] | TelnetStarted | None:
        """Take and return the next piece of data or the next command.

        Return None if no piece is complete. A command is a tuple of numbers: the command itself
        and, in a negotiation, its option. TelnetStarted is returned instead of a command when
        mode "auto" changes to telnet; the command follows.
        """
        if self._pos == len(self._data):
            return None
        if self.mode != "always":
            return self._next_plain()
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

    def _next_plain(self) -> bytes | TelnetStarted | None:
        """Take plain data in mode "auto" or "never".

        In mode "auto", change the mode if the data shows whether the peer is telnet.
        """
        data, end = self._data, len(self._data)
        if self.mode == "auto" and data.find(_IAC, self._pos) >= 0:
            undecided = _end_of_run(_UNDECIDED, data, self._pos)
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
    """Return the position in `data` where the match of `pattern` from `start` on ends."""
    match = pattern.match(data, start)
    return match.end() if match else start
