r"""Splits what the peer sends into lines to show, and a rest that has no line end yet.

There are two ways to read the bytes:

- `PlainLines` is for any line protocol. Each byte stands for itself. CR ends a line as LF does.
- `TerminalLines` is for telnet, where a server writes to a terminal. CR and backspace move the
  cursor within the line. Escape sequences (ECMA-48) move the cursor or erase text; those for
  colours have no effect. The lines are as they would appear on a terminal of unlimited width. Lines
  that have ended do not change: text for an earlier line appears below it instead.

`session` uses this module. `wire.framing` splits plain lines.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, Protocol

from prompt_toolkit.utils import get_cwidth

from echoproto.wire.dump import TAB_STOP
from echoproto.wire.framing import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE: Final = 1 << 20
"""Number of bytes after which a line is cut: the rest is shown as another line."""

MAX_TERMINAL_LINE: Final = 1 << 12
"""The same limit for `TerminalLines`, in columns.

It is lower, because one escape sequence can cost as much work as the whole line.
"""

MAX_SEQUENCE: Final = 1024
"""Number of characters after which an escape sequence without an end is treated as text."""

MAX_COMBINING: Final = 16
"""Maximum number of zero-width characters that are combined with the character before them."""

MAX_BEYOND_END: Final = 1024
"""Maximum number of columns by which the cursor can move beyond the end of a line."""


class Lines(Protocol):
    """A way to split what the peer sends into lines."""

    def feed(self, data: bytes) -> list[bytes]:
        """Add received `data`. Return the lines that are complete, without their line ends."""

    @property
    def start(self) -> bytes:
        """The bytes of the line that has no line end yet."""

    def take(self) -> bytes:
        """Return `start` and remove it: the next byte begins a new line."""


class PlainLines:
    """Lines in which each byte stands for itself."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(max_length=MAX_LINE)

    def feed(self, data: bytes) -> list[bytes]:
        """Add received `data`. Return the lines that are complete; a line too long is in pieces."""
        self._splitter.feed(data)
        return list(self._splitter.cut(keep_rest=True))

    @property
    def start(self) -> bytes:
        """The bytes of the line that has no line end yet."""
        return self._splitter.partial

    def take(self) -> bytes:
        """Return `start` and remove it."""
        return self._splitter.take_rest()


_SEQUENCE: Final = re.compile(
    r"""
      \x1b\[ (?P<number>[0-9]*) (?:;[0-9;]*)? (?P<final>[@-~])  # CSI number ... final
    | \x1b\[ [0-?]* [ -/]* [@-~]                          # CSI for private use, or of another kind
    | \x1b[\]P^_X] [^\x07\x1b]* (?:\x07|\x1b\\)           # OSC, DCS, PM, APC, SOS ... ST
    | \x1b [ -/]* [0-OQ-WYZ\\`-~]                          # the others
    """,
    re.VERBOSE,
)
_START_OF_SEQUENCE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b]*\x1b?|[ -/]*)", re.DOTALL
)
_MOVES: Final = re.compile(r"[\x00\x07\x08\t\x1b]|\r(?![\r\n])")
_TEXT: Final = re.compile(r"[^\x00\x07\x08\t\n\r\x1b]+")


class TerminalLines:
    """Lines as a terminal would show them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._partial_sequence = ""  # the start of an escape sequence that is not complete yet
        self._cells: list[str] = []  # the line; an empty cell follows a wide character
        self._column = 0
        self._ended: list[bytes] = []
        self._actions: dict[str | None, Callable[[int], None]] = {
            "C": lambda count: self._go(self._column + (count or 1)),
            "D": lambda count: self._go(self._column - (count or 1)),
            "G": lambda count: self._go((count or 1) - 1),
            "J": self._erase,
            "K": self._erase,
            "P": self._delete,
        }

    def feed(self, data: bytes) -> list[bytes]:
        """Add received `data`. Return the lines that are complete."""
        text = self._partial_sequence + self._decoder.decode(data)
        self._partial_sequence = ""
        position = self._take_ordinary(text)
        while position < len(text):
            if run := _TEXT.match(text, position):
                self._put(run[0])
                position = run.end()
            elif text[position] != "\x1b":
                self._apply_control(text[position])
                position += 1
            elif sequence := _match_sequence(text, position):
                if action := self._actions.get(sequence["final"]):
                    action(int(sequence["number"][:6] or 0))
                position = sequence.end()
            elif _is_partial_sequence(text, position):
                self._partial_sequence = text[position:]
                break
            else:
                self._put(text[position])  # an ESC that starts no sequence: show it as a byte
                position += 1
        ended, self._ended = self._ended, []
        return ended

    @property
    def start(self) -> bytes:
        """The line that has no line end yet, with blanks up to the cursor if that is beyond it."""
        beyond = " " * (self._column - len(self._cells))
        return _bytes("".join(self._cells) + beyond) + self._decoder.getstate()[0]

    def take(self) -> bytes:
        """Return `start` and remove it."""
        start = self.start
        self._decoder.reset()
        self._clear()
        return start

    def _take_ordinary(self, text: str) -> int:
        """Take the lines at the start of `text` in which nothing moves the cursor.

        Returns the number of characters taken. This is faster than character by character.
        """
        moves = _MOVES.search(text)
        end = text.rfind("\n", 0, moves.start() if moves else len(text)) + 1
        if not end or self._column != len(self._cells):
            return 0
        lines = text[: end - 1].replace("\r", "").split("\n")
        lines[0] = "".join(self._cells) + lines[0]
        if len(lines[0]) > MAX_TERMINAL_LINE:
            return 0
        self._ended += map(_bytes, lines)
        self._clear()
        return end

    def _clear(self) -> None:
        self._cells.clear()
        self._column = 0

    def _apply_control(self, char: str) -> None:
        if char == "\n":
            self._ended.append(_bytes("".join(self._cells)))
            self._clear()
        elif char == "\r":
            self._column = 0
        elif char == "\b":
            self._go(self._column - 1)
        elif char == "\t":
            self._go((self._column // TAB_STOP + 1) * TAB_STOP)

    def _go(self, column: int) -> None:
        self._column = min(max(column, 0), len(self._cells) + MAX_BEYOND_END)

    def _erase(self, how: int) -> None:
        """Erase from the cursor to the end (0), from the start to the cursor (1), or all (2)."""
        self._split_wide(self._column + (how == 1))
        if how == 0:
            del self._cells[self._column :]
        elif how == 1:
            erased = min(self._column + 1, len(self._cells))
            self._cells[:erased] = [" "] * erased
        else:
            self._cells.clear()

    def _delete(self, count: int) -> None:
        end = self._column + (count or 1)
        self._split_wide(self._column)
        self._split_wide(end)
        del self._cells[self._column : end]

    def _split_wide(self, column: int) -> None:
        """Replace a wide character that is on both sides of `column` with two blanks."""
        if 0 < column < len(self._cells) and not self._cells[column]:
            self._cells[column - 1 : column + 1] = " ", " "

    def _put(self, text: str) -> None:
        self._cells.extend([" "] * (self._column - len(self._cells)))
        cells = list(text) if text.isascii() else self._to_cells(text)
        end = self._column + len(cells)
        self._split_wide(self._column)
        self._split_wide(end)
        self._cells[self._column : end] = cells
        self._column = end
        while len(self._cells) > MAX_TERMINAL_LINE:
            self._split_wide(MAX_TERMINAL_LINE)
            self._ended.append(_bytes("".join(self._cells[:MAX_TERMINAL_LINE])))
            del self._cells[:MAX_TERMINAL_LINE]
            self._column = max(self._column - MAX_TERMINAL_LINE, 0)

    def _to_cells(self, text: str) -> list[str]:
        """Return the cells of `text`: one for each character, and two for a wide one.

        A zero-width character has none: it joins the cell of the character before it.
        """
        cells: list[str] = []
        for char in text:
            width = get_cwidth(char) if char.isprintable() else 1
            before, at = (cells, len(cells)) if cells else (self._cells, self._column)
            at -= 1 + (at > 1 and not before[at - 1])  # step over the empty cell of a wide one
            if width == 0 and at >= 0 and len(before[at]) <= MAX_COMBINING:
                before[at] += char
            else:
                cells += [char, ""] if width == 2 else [char]  # noqa: PLR2004
        return cells


def _match_sequence(text: str, position: int) -> re.Match[str] | None:
    """Match the escape sequence at `position`; None if it is not complete or is too long."""
    return _SEQUENCE.match(text, position, position + MAX_SEQUENCE)


def _is_partial_sequence(text: str, position: int) -> bool:
    """Whether the rest of `text` is the start of an escape sequence."""
    rest = text[position : position + MAX_SEQUENCE]
    return len(rest) < MAX_SEQUENCE and bool(_START_OF_SEQUENCE.fullmatch(rest))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
