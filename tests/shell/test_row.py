"""A line of a terminal: its cells, their styles, and the cursor."""

from __future__ import annotations

import pytest

from echoproto.shell.row import MAX_BEYOND_END, Row, StyledLine, cells_of, last_of, runs_of


def row_of(*runs):
    row = Row()
    for style, text in runs:
        row.put(text, style)
    return row


def test_a_line_without_styles_is_plain_bytes():
    assert type(row_of(("", "abc")).line) is bytes
    assert runs_of(b"abc") == (("", b"abc"),)


def test_a_line_with_styles_is_its_text_and_its_runs():
    line = row_of(("", "a"), ("bold", "b"), ("bold", "日"), ("", "c")).line
    assert line == "ab日c".encode()
    assert runs_of(line) == (("", b"a"), ("bold", "b日".encode()), ("", b"c"))


def test_a_character_has_the_style_with_which_it_was_written_wherever_it_goes():
    row = row_of(("bold", "abcd"))
    row.go(1)
    row.put("x", "dim")
    row.insert(1)
    row.delete(2)
    row.put("y", "italic", inserts=True)
    assert runs_of(row.line) == (
        ("bold", b"a"),
        ("dim", b"x"),
        ("italic", b"y"),
        ("bold", b"d"),
    )
    row.go(0)
    row.blank(1)
    assert runs_of(row.line)[0] == ("", b" ")
    row.erase()
    assert type(row.line) is bytes


def test_what_is_cut_off_keeps_its_styles_and_so_does_the_rest():
    row = row_of(("bold", "ab"), ("", "cd"))
    assert runs_of(row.cut(1)) == (("bold", b"a"),)
    assert runs_of(row.line) == (("bold", b"b"), ("", b"cd"))
    assert row.column == 3


def test_blanks_that_are_inserted_are_limited():
    row = row_of(("", "ab"))
    row.go(1)
    row.insert(10_000_000)
    assert len(row) == 2 + MAX_BEYOND_END


@pytest.mark.parametrize("count", range(1, 6))
def test_the_last_bytes_of_a_line(count):
    line = StyledLine([("bold", b"ab"), ("", b"cd")])
    assert last_of(line, count) == last_of(bytes(line), count) == b"abcd"[-count:]
    assert runs_of(last_of(line, 3)) == (("bold", b"b"), ("", b"cd"))
    assert b"".join(data for _, data in runs_of(last_of(line, count))) == b"abcd"[-count:]


def test_the_cells_of_a_line():
    assert cells_of("a日e\u0301".encode() + b"\xff\x07") == [
        *["a", "日", "", "e\u0301"],
        *["\udcff", "\x07"],
    ]
