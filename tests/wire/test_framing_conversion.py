"""Converting line ends to CR LF or CR, however the data is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.framing import line_ends_to_crlf, replace_lf
from line_streams import chunked


@given(chunked(), st.sampled_from([b"\r\n", b"\r"]))
def test_lf_and_cr_lf_become_the_line_end(chunks, line_end):
    converted, after_cr = b"", False
    for chunk in filter(None, chunks):
        converted += replace_lf(chunk, line_end, after_cr=after_cr)
        after_cr = chunk.endswith(b"\r")
    assert converted == re.sub(rb"\r?\n", line_end, b"".join(chunks))


@pytest.mark.parametrize(
    ("data", "after_cr", "converted"),
    [
        (b"", False, b""),
        (b"a\nb\r\nc\r\0d\re", False, b"a\r\nb\r\nc\r\0d\re"),
        (b"\na\n", True, b"\na\r\n"),
        (b"\na\n", False, b"\r\na\r\n"),
    ],
)
def test_converting_lf_one_by_one(data, after_cr, converted):
    assert replace_lf(data, after_cr=after_cr) == converted


@given(chunked())
def test_every_line_end_but_cr_nul_becomes_cr_lf(chunks):
    converted, after_cr = b"", False
    for chunk in filter(None, chunks):
        converted += line_ends_to_crlf(chunk, after_cr=after_cr)
        after_cr = chunk.endswith(b"\r")
    assert converted == re.sub(rb"\r\n|\r|\n", b"\r\n", b"".join(chunks))


@pytest.mark.parametrize(
    ("data", "after_cr", "converted"),
    [
        (b"", False, b""),
        (b"", True, b""),
        (b"a\nb\r\nc\rd\r", False, b"a\r\nb\r\nc\r\nd\r\n"),
        (b"\r\r\n\n", False, b"\r\n\r\n\r\n"),
        (b"\n", True, b""),
        (b"\n\na", True, b"\r\na"),
        (b"\n\na", False, b"\r\n\r\na"),
        (b"\r\n", True, b"\r\n"),
        (b"a\n", True, b"a\r\n"),
    ],
)
def test_converting_every_line_end_one_by_one(data, after_cr, converted):
    assert line_ends_to_crlf(data, after_cr=after_cr) == converted
