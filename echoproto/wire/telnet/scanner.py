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
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from echoproto.wire.telnet.commands import NEGOTIATION_MEANING, Command

if TYPE_CHECKING:
    from collections.abc import Iterator

TelnetMode: TypeAlias = Literal["auto", "always", "never"]
"""When a connection is telnet: always, never, or as soon as the peer shows that it is ("auto")."""


MIN_BLOCK: Final = 4 * 1024
"""Number of bytes that are cut at a time. A block ends before an IAC, or with the input.

The pieces of a block take far more memory than its bytes, if they are commands.
"""

_IAC: Final = int(Command.IAC)

# Each kind has a branch of its own, the most common ones first: that takes half of the time.
_PIECE: Final = re.compile(
    rb"[^\xff]+"  # data
    rb"|\xff[^\xfa-\xff]"  # a command
    rb"|\xff[\xfb-\xfe]."  # a negotiation
    rb"|(?:\xff\xff[^\xff]*)+"  # data that begins with a 255, which is doubled
    rb"|\xff\xfa[^\xff]*(?:\xff\xff[^\xff]*)*\xff\xf0"  # a subnegotiation, up to its SE
    rb"|\xff\xfa"  # the start of another one
    rb"|\xff.?",  # the start of a command, where the bytes end
    re.DOTALL,
)
_INCOMPLETE: Final = frozenset(
    [bytes([_IAC]), *(bytes([_IAC, command]) for command in NEGOTIATION_MEANING)]
)

_SHOWS_TELNET: Final = frozenset(
    [Command.WILL, Command.DO, Command.AYT, Command.IP, Command.AO, Command.BRK]
)
# Matches bytes up to the first 255 that shows whether the peer is telnet, or to a 255 at the end.
_UNDECIDED: Final = re.compile(
    b"(?:[^\xff]+|\xff[%b])*" % bytes(code for code in Command if code not in _SHOWS_TELNET)
)


class Scanner:
    """A scanner that cuts the bytes that have arrived into pieces.

    `mode` changes from "auto" to "always" or "never" as soon as the peer shows which it is.

    In telnet, `pieces` iterates over the pieces of the current block, which `cut` has cut: data in
    which each 255 is doubled, or a command with its IAC. Whoever takes a piece adds its length to
    `taken`, the number of bytes taken so far. Before it is telnet, `take_plain` takes the data.
    """

    __slots__ = ("_data", "_data_offset", "mode", "pieces", "taken")

    def __init__(self, mode: TelnetMode) -> None:
        self.mode: TelnetMode = mode
        self.pieces: Iterator[bytes] = iter(())
        self.taken = 0
        self._data = b""  # the input, of which the last bytes are not taken yet
        self._data_offset = 0  # number of bytes that arrived before `_data`

    @property
    def pending(self) -> bytes:
        """The bytes that have arrived and are not taken yet."""
        return self._data[self.taken - self._data_offset :]

    def feed(self, data: bytes) -> None:
        """Add `data`, which has just arrived."""
        if data:
            self._data = self.pending + data
            self._data_offset = self.taken
            self._drop_pieces()

    def end(self) -> bytes:
        """Handle the end of input: take the pending bytes, and return them if they are data.

        In telnet, the pending bytes are an unfinished command, which is dropped.
        """
        rest = self.take_rest()
        return b"" if self.mode == "always" else rest

    def take_rest(self) -> bytes:
        """Take the pending bytes, and return them unchanged."""
        rest = self.pending
        self.taken += len(rest)
        self._drop_pieces()
        return rest

    def _drop_pieces(self) -> None:
        """Use up the iterator, because a loop over it may be running."""
        deque(self.pieces, maxlen=0)

    def cut(self) -> bool:
        """Cut the next block into `pieces`, all of which must have been taken.

        Return whether there is at least one.
        """
        data, start = self._data, self.taken - self._data_offset
        if start == len(data):
            return False
        end = data.find(_IAC, start + MIN_BLOCK)
        pieces = _PIECE.findall(data, start, end if end >= 0 else len(data))
        if pieces[-1] in _INCOMPLETE:
            del pieces[-1]
        self.pieces = iter(pieces)
        return bool(pieces)

    def take_plain(self) -> bytes:
        """Take plain data in mode "auto" or "never", and return it.

        In mode "auto", change the mode if the data shows whether the peer is telnet. If it changes
        to "always", return b"": the command that shows it is the next piece.
        """
        data, start = self._data, self.taken - self._data_offset
        end = len(data)
        if self.mode == "auto" and data.find(_IAC, start) >= 0:
            match = _UNDECIDED.match(data, start)
            undecided = match.end() if match else start
            shown = data[undecided + 1 : undecided + 2]
            if shown and shown[0] not in _SHOWS_TELNET:
                self.mode = "never"
            elif undecided == start and shown:
                self.mode = "always"
                end = start
            elif undecided < end:
                end = undecided
        self.taken += end - start
        return data[start:end]
