r"""Rows of hex: where they end, and what stands beside them."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.hex_rows import bytes_in_row, data_rows, text_fragments, words_rows


def shown(data, size=16):
    return ["".join(text for _, text in line) for _, line in data_rows(data, "sent", size)]


def test_a_row_ends_after_a_line_feed_and_after_so_many_bytes():
    assert shown(b"hi\r\n\n0123456789abcdefg") == [
        r"68 69 0d 0a                                       hi\r\n",
        r"0a                                                \n",
        r"30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef",
        r"67                                                g",
    ]


def test_narrow_rows_have_one_group():
    assert shown(b"0123456789", 8) == ["30 31 32 33 34 35 36 37  01234567",
                                       "38 39                    89"]  # fmt: skip


def test_control_bytes_have_names_and_what_is_no_text_is_a_dot():
    assert text_fragments(b"a\0\t\x1b[\r\x07\xff\\n.", "sent") == [
        ("sent", "a"),
        ("escape", r"\0"),
        ("escape", r"\t"),
        ("escape", r"\e"),
        ("sent", "["),
        ("escape", r"\r··"),
        ("sent", r"\\n."),
    ]


def test_a_line_of_text_looks_the_same_with_and_without_the_bytes_around_it():
    for data in (b"hello\r\n", b"hello\n", b"\r\n", b"\n", b"hello", b"hello\r"):
        usual = "".join(text for _, text in text_fragments(data, ""))
        assert "".join(text for _, text in text_fragments(b"\t" + data, "")) == r"\t" + usual


def test_a_character_that_a_row_cuts_stands_where_it_begins():
    assert shown("abc€üx".encode(), 4) == ["61 62 63 e2  abc€", "82 ac c3 bc  ü", "78           x"]
    assert shown("😀".encode() + b"x", 2) == ["f0 9f  😀", "98 80", "78     x"]


@pytest.mark.parametrize(
    "data", [b"ab\x80\x80", b"ab\xe2x", b"a\xc3\xff\xff", b"\x80\x80\x80\x80\x80"]
)
def test_bytes_that_are_no_character_stay_in_their_rows(data):
    for row, (start, end) in zip(shown(data, 2), ((0, 2), (2, 4), (4, 6)), strict=False):
        assert row.split("  ")[-1].count("·") == sum(byte > 127 for byte in data[start:end])


def test_words_stand_beside_the_first_row():
    rows = list(words_rows(b"\xff\xfa\x18\0dumb\xff\xf0", "IAC SB", 8))
    assert rows == [
        (0, [("", "ff fa 18 00 64 75 6d 62  "), ("telnet", "IAC SB")]),
        (8, [("", "ff f0")]),
    ]


def test_rows_fit_the_width():
    assert [bytes_in_row(width) for width in (200, 76, 75, 42, 41, 1)] == [16, 16, 8, 8, 4, 4]


@given(st.binary(), st.sampled_from([4, 8, 16]))
def test_no_byte_is_left_out_and_none_controls_the_terminal(data, size):
    rows = list(data_rows(data, "sent", size))
    hexadecimal = "".join(line[0][1] for _, line in rows)
    assert bytes.fromhex(hexadecimal) == data
    starts = [start for start, _ in rows]
    assert starts == sorted(starts)
    text = "".join(text for _, line in rows for _, text in line)
    allowed = ("\u200c", "\u200d")
    assert not [c for c in text if unicodedata.category(c)[0] == "C" and c not in allowed]


@given(st.text())
def test_text_can_be_read_back_whatever_the_rows_cut(text):
    data = text.encode("utf-8", "replace")
    rows = ["".join(part for _, part in line[1:]) for _, line in data_rows(data, "sent", 4)]
    whole = "".join(part for _, part in text_fragments(data, "sent"))
    assert "".join(rows) == whole
    assert whole.count("·") <= len(re.sub(r"[\x20-\x7e]", "", text)) * 4
