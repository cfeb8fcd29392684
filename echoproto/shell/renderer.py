"""Draws the prompt, and erases it also after the terminal has changed its width.

When the width changes, most terminals reflow: a row that no longer fits is wrapped, and the cursor
moves down with it. prompt_toolkit does not expect this: it erases too few rows, and leaves copies
of the prompt on the screen. xterm and the Linux console do not reflow. Rows that a terminal has
moved into its history are out of reach.

`screen` uses this module.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prompt_toolkit.data_structures import Point
from prompt_toolkit.renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prompt_toolkit.application import Application
    from prompt_toolkit.layout.layout import Layout


class ReflowRenderer(Renderer):
    """A renderer that knows where the cursor is after the terminal has reflowed its rows."""

    def render(self, app: Application[object], layout: Layout, is_done: bool = False) -> None:  # noqa: FBT001, FBT002
        """Draw the prompt. If the width has changed, erase the old one first."""
        if self._last_size and self._last_size.columns != self.output.get_size().columns:
            self.erase()
        super().render(app, layout, is_done)

    def erase(self, leave_alternate_screen: bool = True) -> None:  # noqa: FBT001, FBT002
        """Erase the prompt, and move the cursor to where it began."""
        columns = self.output.get_size().columns
        screen = self._last_screen
        if screen and self._last_size and self._last_size.columns != columns and _reflows():
            at = self._cursor_pos
            above = [
                [char.width for _, char in sorted(screen.data_buffer[row].items())]
                for row in range(at.y)
            ]
            self._cursor_pos = Point(at.x % columns, rows(above, columns) + at.x // columns)
        output = self.output
        output.cursor_backward(self._cursor_pos.x)
        output.cursor_up(self._cursor_pos.y)
        # From the top left corner, "erase down" makes tmux keep a copy in its history.
        output.erase_end_of_line()
        output.cursor_forward(1)
        output.erase_down()
        output.cursor_backward(2)  # back to the edge
        output.enable_autowrap()
        self.reset(leave_alternate_screen=leave_alternate_screen)


def rows(widths: Sequence[Sequence[int]], columns: int) -> int:
    """Return how many rows of a terminal some lines take, given the widths of their characters."""
    count = 0
    for line in widths:
        column = 0
        count += 1
        for width in line:
            if column + width > columns:
                count, column = count + 1, 0
            column += width
    return count


def _reflows() -> bool:
    if "TMUX" in os.environ:
        return True
    return "XTERM_VERSION" not in os.environ and os.environ.get("TERM") != "linux"
