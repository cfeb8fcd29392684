r"""Splits what the peer sends into lines to show, and a rest that has no line end yet.

There are two ways to read the bytes:

- `PlainLines` is for any line protocol. Each byte stands for itself. CR ends a line as LF does.
- `TerminalLines` is for telnet, where a server writes to a terminal. CR and backspace move the
  cursor within the line. Escape sequences (ECMA-48) move the cursor, insert and erase text, and set
  colours. Those that only move it to another line have no effect, and those that also set a column
  do just that. Nothing is ever answered. The lines are as they would appear on a terminal of
  unlimited width. Lines that have ended do not change, except in a `Drawing`: text for an earlier
  line appears below it instead. Colours stay on until the server turns them off, over line ends
  too.

A line is bytes, or a `StyledLine` if the server has used colours in it. `incoming` uses this
module. `row`, `drawing`, `sequences` and `sgr` are its parts, and `wire.framing` splits plain
lines.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, Protocol

from echoproto.shell.drawing import Drawing
from echoproto.shell.row import Row, StyledLine, cells_of, to_bytes
from echoproto.shell.sequences import count, first_number, is_partial_sequence, match_sequence
from echoproto.shell.sgr import PLAIN, apply_sgr, style_of
from echoproto.wire.dump import TAB_STOP
from echoproto.wire.framing import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from echoproto.shell.sgr import Pen

MAX_LINE: Final = 1 << 20
"""Number of bytes after which a line is cut: the rest is shown as another line."""

MAX_TERMINAL_LINE: Final = 1 << 12
"""The same limit for `TerminalLines`, in columns.

It is lower, because one escape sequence can cost as much work as the whole line.
"""


class Lines(Protocol):
    """A way to split what the peer sends into lines."""

    def feed(self, data: bytes) -> list[bytes]:
        """Add received `data`. Return the lines that are complete, without their line ends."""

    @property
    def start(self) -> bytes:
        """The bytes of the line that has no line end yet."""

    @property
    def cursor(self) -> int:
        """The column of the cursor in `start`, in cells: see `row`. `view.show_at` shows both."""

    @property
    def below(self) -> Sequence[bytes]:
        """The rows below `start` that the server has drawn."""

    def release(self) -> list[bytes]:
        """Return complete lines that were held back because the server may change them."""

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

    @property
    def cursor(self) -> int:
        """The number of cells of `start`: what follows appears at its end."""
        return len(cells_of(self.start))

    below: Sequence[bytes] = ()

    def release(self) -> list[bytes]:
        """Return nothing: no line is held back."""
        return []

    def take(self) -> bytes:
        """Return `start` and remove it."""
        return self._splitter.take_rest()


_RESET: Final = "\x1bc"  # RIS
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"  # DECTCEM
_INSERT_MODE: Final = "4"
_MOVES: Final = re.compile(r"[\x00\x07\x08\t\x1b]|\r(?![\r\n])")
_TEXT: Final = re.compile(r"[^\x00\x07\x08\t\n\r\x1b]+")


class TerminalLines:
    """Lines as a terminal would show them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._partial_sequence = ""  # the start of an escape sequence that is not complete yet
        self._row = Row()
        self._drawing = Drawing(self._row)
        self._pen, self._style = PLAIN, ""
        self._inserts = False  # text moves what is at the cursor to the right (ECMA-48's IRM)
        self._ended: list[bytes] = []
        row = self._row
        self._actions: dict[str | None, Callable[[str], None]] = {
            "@": lambda text: self._insert(count(text)),
            "A": lambda text: self._drawing.go_up(count(text)),
            "C": lambda text: row.go(row.column + count(text)),
            "D": lambda text: row.go(row.column - count(text)),
            "E": lambda _: row.go(0),
            "F": lambda _: row.go(0),
            "G": lambda text: row.go(count(text) - 1),
            "H": lambda text: row.go(count(text.partition(";")[2]) - 1),
            "J": self._erase_display,
            "K": self._erase,
            "P": lambda text: row.delete(count(text)),
            "X": lambda text: row.blank(count(text)),
            "`": lambda text: row.go(count(text) - 1),
            "a": lambda text: row.go(row.column + count(text)),
            "f": lambda text: row.go(count(text.partition(";")[2]) - 1),
            "h": lambda text: self._set_modes(text, on=True),
            "l": lambda text: self._set_modes(text, on=False),
            "m": lambda text: self._write_with(apply_sgr(self._pen, text)),
        }

    def feed(self, data: bytes) -> list[bytes]:
        """Add received `data`. Return the lines that are complete."""
        text = self._partial_sequence + self._decoder.decode(data)
        self._partial_sequence = ""
        row, position, next_try = self._row, 0, 0
        while position < len(text):
            if (
                position >= next_try
                and row.column == len(row)
                and (position == 0 or text[position - 1] == "\n")
                and not (self._style or self._inserts)
                and self._drawing.is_ordinary
            ):
                position, next_try = self._take_ordinary(text, position)
            elif run := _TEXT.match(text, position):
                self._put(run[0])
                position = run.end()
            elif text[position] != "\x1b":
                self._apply_control(text[position])
                position += 1
            elif sequence := match_sequence(text, position):
                if action := self._actions.get(sequence["final"]):
                    action(sequence["parameters"])
                else:
                    self._apply_other(sequence[0])
                position = sequence.end()
            elif is_partial_sequence(text, position):
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
        line = self._row.line
        rest = b" " * (self._row.column - len(self._row)) + self._decoder.getstate()[0]
        return _joined(line, rest)

    @property
    def cursor(self) -> int:
        """The column of the cursor in `start`."""
        return self._row.column

    @property
    def below(self) -> Sequence[bytes]:
        """The rows below `start` that the server has drawn."""
        return self._drawing.below

    def release(self) -> list[bytes]:
        """Return the lines that were held back while the server drew."""
        return self._drawing.release()

    def take(self) -> bytes:
        """Return `start` and remove it."""
        start = self.start
        self._decoder.reset()
        self._row.clear()
        return start

    def _take_ordinary(self, text: str, position: int) -> tuple[int, int]:
        """Take the lines from `position` on in which nothing moves the cursor.

        Returns the position behind them, and the first one at which to look for more. This is
        faster than character by character.
        """
        moves = _MOVES.search(text, position)
        stop = moves.start() if moves else len(text)
        end = text.rfind("\n", position, stop) + 1
        if not end:
            return position, stop + 1
        first, *lines = text[position : end - 1].replace("\r", "").split("\n")
        limit = MAX_TERMINAL_LINE // 2  # all characters may be wide
        if max(map(len, lines), default=0) > limit:
            return position, stop + 1
        if len(self._row) + len(first) > limit:
            return position, text.index("\n", position) + 1
        self._ended.append(_joined(self._row.line, to_bytes(first)))
        self._ended += map(to_bytes, lines)
        self._row.clear()
        return end, stop + 1

    def _apply_control(self, char: str) -> None:
        row = self._row
        if char == "\n":
            self._ended += self._drawing.next_row()
        elif char == "\r":
            row.column = 0
        elif char == "\b":
            row.go(row.column - 1)
        elif char == "\t":
            row.go((row.column // TAB_STOP + 1) * TAB_STOP)

    def _apply_other(self, sequence: str) -> None:
        if sequence == _HIDE_CURSOR:
            self._drawing.begin()
        elif sequence == _SHOW_CURSOR:
            self._ended += self._drawing.end()
        elif sequence == _RESET:
            self._write_with(PLAIN)
            self._inserts = False

    def _put(self, text: str) -> None:
        self._row.put(text, self._style, inserts=self._inserts)
        self._cut()

    def _insert(self, count: int) -> None:
        self._row.insert(count)
        self._cut()

    def _cut(self) -> None:
        """Keep to MAX_TERMINAL_LINE."""
        while len(self._row) > MAX_TERMINAL_LINE:
            self._ended += [*self._drawing.release(), self._row.cut(MAX_TERMINAL_LINE)]

    def _erase(self, text: str) -> None:
        """Erase from the cursor to the end (0), from the start to the cursor (1), or all (2)."""
        how = first_number(text)
        if how == 0:
            self._row.erase_end()
        elif how == 1:
            self._row.erase_start()
        else:
            self._row.erase()

    def _erase_display(self, text: str) -> None:
        """Erase as `_erase` does, and the rows below with 0 and 2."""
        self._erase(text)
        if first_number(text) != 1:
            self._drawing.erase_below()

    def _set_modes(self, text: str, *, on: bool) -> None:
        if _INSERT_MODE in text.split(";"):
            self._inserts = on

    def _write_with(self, pen: Pen) -> None:
        self._pen, self._style = pen, style_of(pen)


def _joined(line: bytes, rest: bytes) -> bytes:
    """Return a line, followed by text without a style."""
    if not rest or not isinstance(line, StyledLine):
        return line + rest if rest else line
    *runs, (style, last) = line.runs
    end = [("", last + rest)] if style == "" else [(style, last), ("", rest)]
    return StyledLine([*runs, *end])
