"""The rows that a server draws at once: until it is done, it can go back to them and change them.

A program that edits a line with a menu below it hides the cursor, draws all rows, moves up to the
row that it edits, and shows the cursor again. While the cursor is hidden, rows that end are held
back. The rows below the cursor stay: a line end leads to them, and erasing to the end erases them.

`lines`, above, turns what a server writes into calls of `Drawing`. `row` is below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from echoproto.shell.row import Row

MAX_ROWS: Final = 100
"""Number of rows above the cursor that are held back. Those above them do not change any more."""


class Drawing:
    """The rows around `row`, which is that of the cursor.

    `below` has the rows below it, without empty ones at the end.
    """

    def __init__(self, row: Row) -> None:
        self.below: list[bytes] = []
        self._above: list[bytes] = []
        self._row = row
        self._is_open = False

    @property
    def is_ordinary(self) -> bool:
        """Whether each row that ends is a line, and the next row is empty."""
        return not (self._is_open or self.below)

    def begin(self) -> None:
        """Hold rows back from now on, because the server has hidden the cursor."""
        self._is_open = True

    def end(self) -> list[bytes]:
        """Hold rows back no longer. Return those that were held back."""
        self._is_open = False
        return self.release()

    def release(self) -> list[bytes]:
        """Return the rows that were held back: they do not change any more."""
        released, self._above = self._above, []
        return released

    def next_row(self) -> list[bytes]:
        """Move the cursor to the start of the next row. Return the rows that are lines now."""
        self._above.append(self._row.line)
        self._row.clear()
        if self.below:
            self._row.write(self.below.pop(0))
        if not self._is_open:
            return self.release()
        released, self._above = self._above[:-MAX_ROWS], self._above[-MAX_ROWS:]
        return released

    def go_up(self, count: int) -> None:
        """Move the cursor up, unless that row is a line already."""
        if not 0 < count <= len(self._above):
            return
        column = self._row.column
        first, *others = self._above[-count:]
        del self._above[-count:]
        self.below[:0] = [*others, self._row.line]
        while self.below and not self.below[-1].strip():
            self.below.pop()
        self._row.clear()
        self._row.write(first)
        self._row.go(column)
