"""One line of a terminal of unlimited width: cells with styles, and a cursor.

A character takes one cell. A wide one takes two, of which the second is empty. A zero-width
character joins the cell of the character before it.

`lines`, above, turns what a server writes into calls of `Row`. Nothing is below this module.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from prompt_toolkit.utils import get_cwidth

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

MAX_COMBINING: Final = 16
"""Maximum number of zero-width characters that are combined with the character before them."""

MAX_BEYOND_END: Final = 1024
"""Maximum number of columns by which the cursor can move beyond the end of a line."""


class StyledLine(bytes):
    """A line in which the server has used colours: the bytes of its text, and their styles.

    `runs` are the pieces of the line, each with its style, in prompt_toolkit's words. A line
    without colours is plain bytes, which costs nothing, and whoever reads only the text need not
    know the difference.
    """

    runs: tuple[tuple[str, bytes], ...]

    def __new__(cls, runs: Iterable[tuple[str, bytes]]) -> Self:
        """Return the line that consists of `runs`."""
        runs = tuple(runs)
        line = super().__new__(cls, b"".join(data for _, data in runs))
        line.runs = runs
        return line


def runs_of(line: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return the pieces of any line, each with its style."""
    return line.runs if isinstance(line, StyledLine) else (("", line),)


def last_of(line: bytes, count: int) -> bytes:
    """Return the last `count` bytes of a line, with their styles."""
    if not isinstance(line, StyledLine):
        return line[-count:]
    runs: list[tuple[str, bytes]] = []
    for style, data in reversed(line.runs):
        if count > 0:
            runs.insert(0, (style, data[-count:]))
            count -= len(data)
    return StyledLine(runs)


class Row:
    """A line, and the cursor in it. `column` is the column of the cursor, counted in cells."""

    __slots__ = ("_cells", "_line", "_styles", "column")

    def __init__(self) -> None:
        self._line: bytes | None = None  # `line`, until something changes
        self._cells: list[str] = []
        self._styles: list[str] = []  # of each cell; empty while no cell has one
        self.column = 0

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self._cells)

    @property
    def cells(self) -> list[str]:
        """A copy of the cells: a character each, or nothing for the second half of a wide one."""
        return self._cells.copy()

    @property
    def line(self) -> bytes:
        """The text: a StyledLine if any of it has a style."""
        if self._line is None:
            self._line = self._join()
        return self._line

    def _join(self) -> bytes:
        if not any(self._styles):
            return to_bytes("".join(self._cells))
        if len(set(self._styles)) == 1:
            return StyledLine([(self._styles[0], to_bytes("".join(self._cells)))])
        runs = groupby(zip(self._styles, self._cells, strict=True), itemgetter(0))
        return StyledLine(
            (style, to_bytes("".join(cell for _, cell in cells))) for style, cells in runs
        )

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing but blanks."""
        return not "".join(self._cells).strip(" ")

    def clear(self) -> None:
        """Remove everything, and go to the start."""
        self.erase()
        self.column = 0

    def take(self) -> Row:
        """Return a row that has everything of this one, which is empty then."""
        taken = Row()
        taken.restore(self)
        self.restore(Row())
        return taken

    def restore(self, row: Row) -> None:
        """Take over what is in `row`, which must not be used any more, and go to the start."""
        self._cells, self._styles, self._line = row._cells, row._styles, row._line
        self.column = 0

    def cut(self, count: int) -> bytes:
        """Remove the first `count` cells, and return their text."""
        self._split_wide(count)
        self._line = None
        first = Row()
        first._cells, self._cells = self._cells[:count], self._cells[count:]
        first._styles, self._styles = self._styles[:count], self._styles[count:]
        self.column = max(self.column - count, 0)
        return first.line

    def go(self, column: int) -> None:
        """Move the cursor, but not before the start, and not too far beyond the end."""
        self.column = min(max(column, 0), len(self._cells) + MAX_BEYOND_END)

    def put(self, text: str, style: str = "", *, inserts: bool = False) -> None:
        """Write `text` at the cursor: over what is there, or in front of it if `inserts`."""
        if (missing := self.column - len(self._cells)) > 0:
            self._cells += [" "] * missing
        cells = list(text) if text.isascii() else self._to_cells(text)
        end = self.column if inserts else self.column + len(cells)
        self._replace(end, cells, style)
        self.column += len(cells)

    def insert(self, count: int) -> None:
        """Insert blanks at the cursor, in front of what is there."""
        if self.column < len(self._cells):
            self._replace(self.column, [" "] * min(count, MAX_BEYOND_END))

    def delete(self, count: int) -> None:
        """Delete cells from the cursor on. Those behind them move to the left."""
        self._replace(self.column + count, [])

    def blank(self, count: int) -> None:
        """Replace cells from the cursor on with blanks."""
        end = min(self.column + count, len(self._cells))
        self._replace(end, [" "] * (end - self.column))

    def erase_end(self) -> None:
        """Erase from the cursor to the end."""
        self._replace(len(self._cells), [])

    def erase_start(self) -> None:
        """Replace everything from the start to the cell at the cursor with blanks."""
        self._split_wide(self.column + 1)
        self._line = None
        erased = min(self.column + 1, len(self._cells))
        self._cells[:erased] = [" "] * erased
        if self._styles:
            self._styles[:erased] = [""] * erased

    def erase(self) -> None:
        """Erase everything. The cursor stays."""
        self._line = None
        self._cells.clear()
        self._styles.clear()

    def _replace(self, end: int, cells: list[str], style: str = "") -> None:
        """Replace the cells from the cursor to column `end` with `cells`."""
        self._split_wide(self.column)
        self._split_wide(end)
        self._line = None
        if style or self._styles:
            self._styles += [""] * (len(self._cells) - len(self._styles))
            self._styles[self.column : end] = [style] * len(cells)
        self._cells[self.column : end] = cells

    def _split_wide(self, column: int) -> None:
        """Replace a wide character that is on both sides of `column` with two blanks."""
        if 0 < column < len(self._cells) and not self._cells[column]:
            self._cells[column - 1 : column + 1] = " ", " "

    def _to_cells(self, text: str) -> list[str]:
        """Return the cells of `text`, which will stand at the cursor."""
        cells: list[str] = []
        for char in text:
            width = get_cwidth(char) if char.isprintable() else 1
            before, at = (cells, len(cells)) if cells else (self._cells, self.column)
            at -= 1 + (at > 1 and not before[at - 1])  # step over the empty cell of a wide one
            if width == 0 and at >= 0 and len(before[at]) <= MAX_COMBINING:
                before[at] += char
            else:
                cells += [char, ""] if width == 2 else [char]  # noqa: PLR2004
        return cells


def cells_of(line: bytes) -> list[str]:
    """Return the cells of a line, as `Row.cells` has them."""
    row = Row()
    row.put(to_text(line))
    return row.cells


def to_text(data: bytes) -> str:
    """Decode UTF-8. Other bytes become surrogates, which `to_bytes` turns back."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes from which `to_text` has made `text`."""
    return text.encode("utf-8", "surrogateescape")
