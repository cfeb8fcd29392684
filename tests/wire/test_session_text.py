from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.session_text import (
    Variable,
    fill,
    names,
    read,
    read_line,
    read_pattern,
    write,
    write_line,
)

LINE_ENDS = [b"\r\n", b"\n", b"\r", b"\r\0", b"\0", b""]


def test_text_is_written_as_it_is_and_bytes_are_escaped():
    assert write("grüße, 世界 $5 {x}".encode()) == "grüße, 世界 $5 {x}"
    assert write(b"\r\n\t\0\x1b\\") == r"\r\n\t\0\e\\"
    assert write(b"\xff\xfb\x01 \x7f") == r"\xff\xfb\x01 \x7f"
    assert write(b"cost ${x}") == r"cost \${x}"


@given(st.binary(), st.sampled_from(LINE_ENDS))
def test_what_is_written_is_read_as_the_same_bytes(data, line_end):
    line = write_line(data, line_end)
    assert fill(read_line(line, line_end), {}) == data
    assert not line.endswith(" ")
    assert line.isprintable() or not line.isascii()
    assert fill(read(write(data)), {}) == data


def test_a_line_shows_only_a_line_end_that_is_not_the_usual_one():
    assert write_line(b"hello\r\n", b"\r\n") == "hello"
    assert write_line(b"hello\n", b"\r\n") == "hello\\n\\"
    assert write_line(b"login: ", b"\r\n") == "login: \\"
    assert write_line(b"blank \r\n", b"\r\n") == r"blank\x20"
    assert write_line(b"\\\r\n", b"\r\n") == r"\\"
    assert write_line(b"\r\n", b"\r\n") == ""


def test_a_variable_has_its_place_between_the_bytes():
    template = read_line(r"RETR ${id}\t${id}", b"\n")
    assert template == (b"RETR ", Variable("id"), b"\t", Variable("id"), b"\n")
    assert names(template) == {"id"}
    assert fill(template, {"id": b"\xff"}) == b"RETR \xff\t\xff\n"


def test_a_pattern_keeps_its_backslashes_and_has_variables():
    assert read_pattern(r"\d+ \${id} ${id}$") == (r"\d+ \${id} ", Variable("id"), "$")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"a\q", r"\q is not an escape: write one of \r \n"),
        (r"a\x4", r"\x needs two hexadecimal digits"),
        (r"${a b}", r"${ begins a variable: write ${name}, or \${"),
        ("\\\x85", r"\\xc2\x85 is not an escape"),
    ],
)
def test_what_cannot_be_read_is_explained(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read(text)


def test_secrets_are_replaced_by_variables_the_longest_first():
    secrets = {b"pass": "a", b"password": "b", b"12": "c", b"": "d"}
    assert write_line(b"password pass 12\r\n", b"\r\n", secrets) == "${b} ${a} 12"
    assert write_line(b"12\r\n", b"\r\n", secrets) == "${c}"
    assert write_line(b"12\n", b"\r\n", secrets) == "${c}\\n\\"
    assert write_line(b"\r\n", b"\r\n", secrets) == ""
    assert write_line(b"12 ", b"", secrets) == "12\\x20"
