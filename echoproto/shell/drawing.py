"""The rows that a server draws at once: until it is done, it can go back to them and change them.

A program that edits a line with a menu below it hides the cursor, draws all rows, moves up to the
row that it edits, and shows the cursor again. While the cursor is hidden, rows that end are held
back. The rows below the cursor stay: a line end leads to them, and erasing to the end erases them.

A server can go to and fro among its rows with a few bytes each time. Therefore a row moves as a
whole, and its text is made only when it is shown.

`lines`, above, turns what a server writes into calls of `Drawing`. `row` is below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from echoproto.shell.row import Row

MAX_ROWS: Final = 100
"""Number of rows above the cursor that are held back. Those above them do not change any more."""


class Drawing:
    """The rows around `row`, which is that of the cursor."""

    def __init__(self, row: Row) -> None:
        self._below: list[Row] = []
        self._above: list[Row] = []
        self._row = row
        self._is_open = False

    @property
    def below(self) -> list[bytes]:
        """The rows below that of the cursor, without empty ones at the end."""
        return [row.line for row in self._below]

    def erase_below(self) -> None:
        """Erase the rows below that of the cursor."""
        self._below.clear()

    @property
    def is_ordinary(self) -> bool:
        """Whether each row that ends is a line, and the next row is empty."""
        return not (self._is_open or self._below)

    def begin(self) -> None:
        """Hold rows back from now on, because the server has hidden the cursor."""
        self._is_open = True

    def end(self) -> list[bytes]:
        """Hold rows back no longer. Return those that were held back."""
        self._is_open = False
        return self.release()

    def release(self) -> list[bytes]:
        """Return the rows that were held back: they do not change any more."""
        return self._release(len(self._above))

    def _release(self, count: int) -> list[bytes]:
        """Return the first `count` of the rows that were held back."""
        released, self._above = self._above[:count], self._above[count:]
        return [row.line for row in released]

    def next_row(self) -> list[bytes]:
        """Move the cursor to the start of the next row. Return the rows that are lines now."""
        self._above.append(self._row.take())
        if self._below:
            self._row.restore(self._below.pop(0))
        return self._release(max(0, len(self._above) - MAX_ROWS * self._is_open))

    def go_up(self, count: int) -> None:
        """Move the cursor up, unless that row is a line already."""
        if not 0 < count <= len(self._above):
            return
        column = self._row.column
        first, *others = self._above[-count:]
        del self._above[-count:]
        self._below[:0] = [*others, self._row.take()]
        while self._below and self._below[-1].is_blank:
            self._below.pop()
        self._row.restore(first)
        self._row.go(column)
