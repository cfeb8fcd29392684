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


def test_the_text_of_a_row_follows_each_change():
    row = row_of(("", "abcd"))
    changes = [
        (lambda: row.go(1), b"abcd"),
        (lambda: row.put("x"), b"axcd"),
        (lambda: row.put("日"), "ax日".encode()),
        (lambda: row.put("\u0301"), "ax日\u0301".encode()),
        (lambda: row.go(1), "ax日\u0301".encode()),
        (lambda: row.insert(1), "a x日\u0301".encode()),
        (lambda: row.blank(2), "a  日\u0301".encode()),
        (lambda: row.delete(1), "a 日\u0301".encode()),
        (row.erase_start, "  日\u0301".encode()),
        (lambda: row.cut(1), " 日\u0301".encode()),
        (row.erase_end, b""),
        (lambda: row.put("end"), b"end"),
        (row.take, b""),
        (lambda: row.restore(row_of(("", "back"))), b"back"),
        (row.erase, b""),
    ]
    for change, text in changes:
        change()
        assert row.line == text
    assert row.is_blank


def test_a_row_of_blanks_is_blank_and_a_byte_that_is_no_text_is_not():
    assert row_of(("bold", "   ")).is_blank
    assert not row_of(("", "  \x00")).is_blank
