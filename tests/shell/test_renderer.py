"""Where the prompt is after the terminal has reflowed it. `interop` has the real terminal."""

from __future__ import annotations

import pytest

from echoproto.shell.renderer import rows
from in_shell import in_shell


@pytest.mark.parametrize(
    ("widths", "columns", "count"),
    [
        ([], 10, 0),
        ([[]], 10, 1),
        ([[1] * 10], 10, 1),
        ([[1] * 11], 10, 2),
        ([[1] * 20, [1] * 21], 10, 5),
        ([[2] * 5], 5, 3),  # a wide character is not split
    ],
)
def test_a_line_that_is_longer_than_the_terminal_takes_more_rows(widths, columns, count):
    assert rows(widths, columns) == count


def test_the_prompt_is_not_erased_from_the_top_left_corner_down():
    async def script(_, peer, screen):
        await peer.say(b"news\r\n")
        await screen.shows("news")

    _, shown = in_shell(script)
    assert "\x1b[K\x1b[C\x1b[J" in shown.getvalue()
