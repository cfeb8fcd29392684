"""What a server draws in several rows: the line that it edits stays, with the rows below it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.shell import row
from echoproto.shell.drawing import MAX_ROWS
from echoproto.shell.lines import TerminalLines

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


def drawn(*pieces):
    """The lines that are complete, the row of the cursor, its column, and the rows below."""
    lines = TerminalLines()
    ended = [line for piece in pieces for line in lines.feed(piece)]
    return ended, lines.start, lines.cursor, list(lines.below)


def each_cut(wire):
    return [(wire[:at], wire[at:]) for at in range(len(wire))]


PROMPT = HIDE + b"$ te" + b"\r\n" * 7 + b" \x08\x1b[7A\x1b[4C" + SHOW
MENU = HIDE + b"$ te\r\n  tell\r\n  test \x08\x1b[2A\x1b[3D" + SHOW


@pytest.mark.parametrize("pieces", each_cut(PROMPT))
def test_empty_rows_that_are_reserved_below_a_prompt_are_no_lines(pieces):
    assert drawn(*pieces) == ([], b"$ te", 4, [])


@pytest.mark.parametrize("pieces", each_cut(MENU))
def test_a_menu_stays_below_the_line_that_is_edited(pieces):
    assert drawn(*pieces) == ([], b"$ te", 3, [b"  tell", b"  test "])


def test_a_menu_is_erased_with_the_rest_of_the_screen():
    after = b"\x1b[5D\x1b[J$ tell\r\nanswer\r\n$ "
    assert drawn(MENU, after) == ([b"$ tell", b"answer"], b"$ ", 2, [])


def test_line_ends_lead_through_the_rows_below_and_no_text_is_lost():
    assert drawn(MENU, b"\r\nT\r\n\r\nend") == ([b"$ te", b"T tell", b"  test "], b"end", 3, [])


def test_what_is_held_back_comes_when_the_cursor_is_shown_or_when_it_is_asked_for():
    assert drawn(HIDE + b"a\r\nb\r\nc") == ([], b"c", 1, [])
    assert drawn(HIDE + b"a\r\nb\r\nc", SHOW) == ([b"a", b"b"], b"c", 1, [])
    lines = TerminalLines()
    lines.feed(HIDE + b"a\r\nb\r\nc")
    assert lines.release() == [b"a", b"b"]
    assert lines.feed(b"\x1b[2Ad" + SHOW) == []
    assert lines.start == b"cd"


def test_a_line_that_is_complete_does_not_change():
    assert drawn(b"a\r\nb\r\n\x1b[2Ac\r\n") == ([b"a", b"b", b"c"], b"", 0, [])


def test_a_server_that_never_shows_the_cursor_again_is_shown_all_the_same():
    numbers = [b"%d" % number for number in range(1000)]
    ended, start, *_ = drawn(HIDE + b"\r\n".join(numbers))
    assert ended == numbers[: 999 - MAX_ROWS]
    assert start == b"999"


def test_colours_of_rows_below_and_of_a_row_that_is_returned_to_stay():
    lines = TerminalLines()
    lines.feed(HIDE + b"\x1b[31mred\x1b[m\r\n\x1b[32mgreen\x1b[m\r\x1b[A" + SHOW)
    assert lines.start.runs == (("ansired", b"red"),)
    assert lines.below[0].runs == (("ansigreen", b"green"),)


def test_going_to_and_fro_among_rows_costs_no_look_at_what_is_in_them(monkeypatch):
    made = []
    monkeypatch.setattr(row, "to_bytes", lambda text: made.append(text) or text.encode())
    lines = TerminalLines()
    full = b"\x1b[31ma\x1b[32mb" * 1000
    lines.feed(HIDE + full + b"\r\n" + full + b"\x1b[A\n" * 1000)
    assert not made
    assert lines.release()[0].startswith(b"abab")
    assert made


@given(
    st.lists(
        st.sampled_from(
            [HIDE, SHOW, b"\x1b[A", b"\x1b[2A", b"\x1b[J", b"\x1b[2J", b"\x1b[31m", b"a", b"\r\n"]
        )
    )
)
def test_a_drawing_is_the_same_however_it_is_cut(pieces):
    wire = b"".join(pieces)
    assert drawn(*pieces) == drawn(wire) == drawn(*(wire[at : at + 1] for at in range(len(wire))))
