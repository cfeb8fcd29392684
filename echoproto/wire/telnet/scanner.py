"""Cut a stream of telnet into commands and data. `codec`, above, handles their meaning.

The rules:

- IAC (255) begins a command. IAC IAC is one data byte 255 (RFC 854).
- A negotiation has three bytes, and every other command has two. A subnegotiation is data between
  the commands SB and SE.
- In mode "auto", bytes pass unchanged until the peer shows that it is telnet. What shows it depends
  on who the peer is: see `Signs`.
- In mode "auto", a byte 255 that does not begin a command shows that the peer is not telnet. From
  then on, bytes pass unchanged until the connection ends.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from echoproto.wire.telnet.commands import NEGOTIATION_MEANING, Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

PROMPT_WINDOW: Final = 256
"""Number of bytes before GA or EOR that must be text if it is to show telnet."""

# What text has: no control character but BEL, BS, HT, LF, CR and ESC. A 255 is no text.
_TEXT: Final = bytes([*b"\a\b\t\n\r\x1b", *range(0x20, 0x7F), *range(0x80, 0xFF)])


@dataclass(frozen=True)
class Signs:
    """What shows, in mode "auto", that a peer is telnet: commands, each with its condition.

    `commands` show it by themselves. `refusals` are WONT and DONT, each with the options for which
    it shows it. `ends_of_prompts` show it after text: at least one byte after the last command, and
    no other byte than text among the last PROMPT_WINDOW. All other commands leave it undecided.
    """

    commands: frozenset[int]
    refusals: Mapping[int, bytes] = field(default_factory=dict)
    ends_of_prompts: frozenset[int] = frozenset()

    @cached_property
    def undecided(self) -> re.Pattern[bytes]:
        """Matches bytes up to the next 255 that may be a sign, or shows that there will be none."""
        deciding = self.commands | self.ends_of_prompts | self.refusals.keys()
        kinds = [b"[^\xff]+", b"\xff[%b]" % bytes(code for code in Command if code not in deciding)]
        kinds += [
            b"\xff%b(?=[^%b])" % (re.escape(bytes([command])), re.escape(options))
            for command, options in self.refusals.items()
        ]
        return re.compile(b"(?:%b)*" % b"|".join(kinds), re.DOTALL)


_ASKS: Final = frozenset(
    [Command.WILL, Command.DO, Command.AYT, Command.IP, Command.AO, Command.BRK]
)
SIGNS_OF_CLIENT: Final = Signs(_ASKS)
"""What shows a server that its client is telnet.

Few signs, because the client of an echo server may send anything, and must get it back unchanged.
"""

SIGNS_OF_SERVER: Final = Signs(
    _ASKS,
    # WONT of any option that is in use: the first 50, and those of MUDs. DONT of the few that
    # servers refuse unasked (ECHO, SGA, STATUS, TIMING-MARK, TTYPE, END-OF-RECORD, NAWS), because
    # FF FE is also the byte order mark of UTF-16, which text follows.
    refusals={
        int(Command.WONT): bytes([*range(50), 69, 70, 85, 86, 90, 91, 93, 200, 201]),
        int(Command.DONT): bytes([1, 3, 5, 6, 24, 25, 31]),
    },
    ends_of_prompts=frozenset([Command.GA, Command.EOR]),
)
"""What shows a client that its server is telnet.

A server may refuse an option before it offers one, or mark the ends of its prompts and negotiate
nothing (RFC 854 makes GA the default). Data that is not text is hardly ever taken for that: in
random bytes, a GA or EOR that comes before any other 255 follows 256 bytes, of which each eighth is
no text, or stands near the start. Of a thousand such streams, one has a sign that
SIGNS_OF_CLIENT does not have.
"""


class Scanner:
    """A scanner that cuts the bytes that have arrived into pieces.

    `mode` changes from "auto" to "always" or "never" as soon as the peer shows which it is, by
    `signs`.

    In telnet, `pieces` iterates over the pieces of the current block, which `cut` has cut: data in
    which each 255 is doubled, or a command with its IAC. Whoever takes a piece adds its length to
    `taken`, the number of bytes taken so far. Before it is telnet, `take_plain` takes the data.
    """

    __slots__ = ("_before", "_data", "_data_offset", "_signs", "mode", "pieces", "taken")

    def __init__(self, mode: TelnetMode, signs: Signs = SIGNS_OF_CLIENT) -> None:
        self.mode: TelnetMode = mode
        self._signs = signs
        self._before = b""  # the last bytes that were taken, if they decide about a prompt
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
        if self.mode == "auto":
            if data.find(_IAC, start) >= 0:
                end = self._find_sign(data, start)
            if self._signs.ends_of_prompts:
                self._before = self._last_before(data, start, end)
        self.taken += end - start
        return data[start:end]

    def _find_sign(self, data: bytes, start: int) -> int:
        """Return where the plain data ends: at a sign, at what may be one, or with `data`.

        Change the mode to "always" if a sign is the next, and to "never" if there will be none.
        """
        signs, at = self._signs, start
        while True:
            match = signs.undecided.match(data, at)
            at = match.end() if match else at
            if at + 1 >= len(data):
                return at
            code = data[at + 1]
            if code in signs.ends_of_prompts:
                if not self._follows_text(data, start, at):
                    at += 2
                    continue
            elif code in signs.refusals:
                if at + 2 >= len(data):
                    return at
            elif code not in signs.commands:
                self.mode = "never"
                return len(data)
            if at == start:
                self.mode = "always"
            return at

    def _follows_text(self, data: bytes, start: int, at: int) -> bool:
        """Whether text ends at `at`."""
        before = self._last_before(data, start, at)
        last_command = before.rfind(_IAC)
        text = before[last_command + 2 :] if last_command >= 0 else before
        return bool(text) and not text.translate(None, _TEXT)

    def _last_before(self, data: bytes, start: int, at: int) -> bytes:
        """Return the last bytes of the stream before `at`, as many as decide about a prompt."""
        before = data[max(start, at - PROMPT_WINDOW) : at]
        return (self._before + before)[-PROMPT_WINDOW:]
