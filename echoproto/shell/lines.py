r"""What the peer sends, as lines to show, and the start of a line that has no end yet.

There are two ways to read it. `PlainLines` is for any line protocol: each byte means itself, and
CR ends a line as LF does. `TerminalLines` is for telnet, where a server writes to what it takes for
a terminal: CR and backspace move within the line, sequences of escape (ECMA-48) move, erase, or
only colour it. It gives the lines as they would stand on a terminal that is as wide as they are
long, one line at a time: what moves up to a line that has ended comes below it instead.
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
"""Bytes after which a line is shown although its end has not come; what follows is another."""

MAX_TERMINAL_LINE: Final = 1 << 12
"""Columns, the same for a terminal: each sequence of escape can make the work of a whole line."""

MAX_SEQUENCE: Final = 1024
"""Characters after which a sequence of escape that does not end is taken for text."""

MAX_COMBINING: Final = 16
"""Characters without a width of their own that go with the one before them."""

MAX_BEYOND_END: Final = 1024
"""Columns that the cursor can be moved beyond the end of a line."""


class Lines(Protocol):
    """How what the peer sends becomes lines."""

    def feed(self, data: bytes) -> list[bytes]:
        """Add what has arrived; returns the lines that have ended, without their ends."""

    @property
    def start(self) -> bytes:
        """The start of the line that has no end yet."""

    def take(self) -> bytes:
        """Take that start, so that what comes next begins a line."""


class PlainLines:
    """Each byte means itself."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(max_length=MAX_LINE)

    def feed(self, data: bytes) -> list[bytes]:
        """Add what has arrived; returns the lines that have ended. A line too long is in pieces."""
        self._splitter.feed(data)
        return list(self._splitter.cut(keep_rest=True))

    @property
    def start(self) -> bytes:
        """The start of the line that has no end yet."""
        return self._splitter.partial

    def take(self) -> bytes:
        """Take that start."""
        return self._splitter.take_rest()


_SEQUENCE: Final = re.compile(
    r"""
      \x1b\[ (?P<number>[0-9]*) (?:;[0-9;]*)? (?P<final>[@-~])  # CSI number ... final
    | \x1b\[ [0-?]* [ -/]* [@-~]                          # CSI, for private use or of another kind
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
    """What a terminal would show."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._held = ""  # of a sequence of escape that has no end yet
        self._cells: list[str] = []  # of the line; a wide character has an empty cell after it
        self._column = 0
        self._ended: list[bytes] = []
        self._obeyed: dict[str | None, Callable[[int], None]] = {
            "C": lambda count: self._go(self._column + (count or 1)),
            "D": lambda count: self._go(self._column - (count or 1)),
            "G": lambda count: self._go((count or 1) - 1),
            "J": self._erase,
            "K": self._erase,
            "P": self._delete,
        }

    def feed(self, data: bytes) -> list[bytes]:
        """Add what has arrived; returns the lines that have ended."""
        text = self._held + self._decoder.decode(data)
        self._held = ""
        position = self._take_ordinary(text)
        while position < len(text):
            if run := _TEXT.match(text, position):
                self._put(run[0])
                position = run.end()
            elif text[position] != "\x1b":
                self._control(text[position])
                position += 1
            elif sequence := _sequence(text, position):
                if obeyed := self._obeyed.get(sequence["final"]):
                    obeyed(int(sequence["number"][:6] or 0))
                position = sequence.end()
            elif _may_go_on(text, position):
                self._held = text[position:]
                break
            else:
                self._put(text[position])  # to be shown as what it is
                position += 1
        ended, self._ended = self._ended, []
        return ended

    @property
    def start(self) -> bytes:
        """The line that has no end yet, up to the cursor if that is beyond its end."""
        beyond = " " * (self._column - len(self._cells))
        return _bytes("".join(self._cells) + beyond) + self._decoder.getstate()[0]

    def take(self) -> bytes:
        """Take that line."""
        start = self.start
        self._decoder.reset()
        self._clear()
        return start

    def _take_ordinary(self, text: str) -> int:
        """Take the lines at the start of `text` in which nothing moves; returns their length."""
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

    def _control(self, char: str) -> None:
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
        """Erase from the cursor on (0), up to it (1), or all (2)."""
        self._part(self._column + (how == 1))
        if how == 0:
            del self._cells[self._column :]
        elif how == 1:
            erased = min(self._column + 1, len(self._cells))
            self._cells[:erased] = [" "] * erased
        else:
            self._cells.clear()

    def _delete(self, count: int) -> None:
        end = self._column + (count or 1)
        self._part(self._column)
        self._part(end)
        del self._cells[self._column : end]

    def _part(self, column: int) -> None:
        """Make blanks of a wide character that stands on both sides of `column`."""
        if 0 < column < len(self._cells) and not self._cells[column]:
            self._cells[column - 1 : column + 1] = " ", " "

    def _put(self, text: str) -> None:
        self._cells.extend([" "] * (self._column - len(self._cells)))
        cells = list(text) if text.isascii() else self._wide(text)
        end = self._column + len(cells)
        self._part(self._column)
        self._part(end)
        self._cells[self._column : end] = cells
        self._column = end
        while len(self._cells) > MAX_TERMINAL_LINE:
            self._part(MAX_TERMINAL_LINE)
            self._ended.append(_bytes("".join(self._cells[:MAX_TERMINAL_LINE])))
            del self._cells[:MAX_TERMINAL_LINE]
            self._column = max(self._column - MAX_TERMINAL_LINE, 0)

    def _wide(self, text: str) -> list[str]:
        """A cell for each character, or two, or none: that goes with the one before it."""
        cells: list[str] = []
        for char in text:
            width = get_cwidth(char) if char.isprintable() else 1
            before, at = (cells, len(cells)) if cells else (self._cells, self._column)
            at -= 1 + (at > 1 and not before[at - 1])  # a wide character has two cells
            if width == 0 and at >= 0 and len(before[at]) <= MAX_COMBINING:
                before[at] += char
            else:
                cells += [char, ""] if width == 2 else [char]  # noqa: PLR2004
        return cells


def _sequence(text: str, position: int) -> re.Match[str] | None:
    """The sequence that begins there, if it is whole, and not too long."""
    return _SEQUENCE.match(text, position, position + MAX_SEQUENCE)


def _may_go_on(text: str, position: int) -> bool:
    """Whether the rest of `text` is the start of a sequence."""
    rest = text[position : position + MAX_SEQUENCE]
    return len(rest) < MAX_SEQUENCE and bool(_START_OF_SEQUENCE.fullmatch(rest))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
