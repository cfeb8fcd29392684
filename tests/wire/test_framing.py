"""Bytes in, lines out: any line end, any cut, and in proportion to the bytes."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from echoproto.wire.framing import ANY_LINE_END, LineSplitter
from echoproto.wire.framing import MAX_BLOCK as BLOCK
from line_streams import DELIMITERS, LIMITS, chunked, model, split


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\0", b"\r"])
def test_each_line_end_of_the_field_ends_a_line(end):
    given, splitter = split([b"one" + end + b"two" + end + b"thr"])
    assert given == [b"one", b"two"]
    assert splitter.partial == b"thr"


def test_line_ends_may_be_mixed_and_lines_empty():
    assert split([b"\na\r\n\r\n\r\0b\r\r\0\n"])[0] == [b"", b"a", b"", b"", b"b", b"", b""]


def test_a_cr_ends_its_line_at_once_and_what_belongs_to_it_ends_no_other():
    for late in (b"\n", b"\0"):
        assert split([b"hello\r"])[0] == [b"hello"]
        assert split([b"hello\r", late, b"x\n"])[0] == [b"hello", b"x"]


def test_a_nul_is_data_where_no_cr_is_before_it():
    assert split([b"\0a\n\0b\n"])[0] == [b"\0a", b"\0b"]


@settings(max_examples=500)
@given(chunked(), chunked(), st.booleans())
def test_where_a_nul_is_data_after_a_cr_only_lf_belongs_to_the_cr(before, after, keep_ends):
    splitter = LineSplitter(keep_ends=keep_ends)
    lines = []
    for chunk in before:
        splitter.feed(chunk)
        lines += splitter
    splitter.nul_after_cr = False
    for chunk in after:
        splitter.feed(chunk)
        lines += splitter
    if keep_ends:
        assert b"".join([*lines, splitter.partial]) == b"".join([*before, *after])
        return
    first, rest = model(b"".join(before), ANY_LINE_END, None)
    later = b"".join(after)
    if b"".join(before).endswith(b"\r"):
        later = later.removeprefix(b"\n")
    *second, rest = re.split(rb"\r\n|\r|\n", rest + later)
    assert lines == [*first, *second]
    assert splitter.take_rest() == rest


def test_a_given_delimiter_is_the_only_line_end():
    assert split([b"a\nb\rc\0;d;"], b";")[0] == [b"a\nb\rc\0", b"d"]


def test_an_empty_delimiter_is_refused():
    with pytest.raises(ValueError, match="the delimiter is empty"):
        LineSplitter(b"")


@settings(max_examples=1000)
@given(chunked(), DELIMITERS, LIMITS)
def test_however_a_stream_is_cut_the_lines_are_the_same(chunks, delimiter, limit):
    given, splitter = split(chunks, delimiter, limit)
    lines, rest = model(b"".join(chunks), delimiter, limit)
    if given != lines:
        # What is left is too long already, and was reported before its end came.
        assert given == [*lines, None]
        assert len(rest) > limit
    elif limit is None:
        assert splitter.partial == rest
        assert splitter.take_rest() == rest


@given(chunked(), DELIMITERS)
@example([b"a\r", b"\n"], ANY_LINE_END)
def test_lines_with_their_ends_are_the_stream(chunks, delimiter):
    given, splitter = split(chunks, delimiter, keep_ends=True)
    assert b"".join([*given, splitter.partial]) == b"".join(chunks)
    assert splitter.taken == split([b"".join(chunks)], delimiter)[1].taken


def test_a_new_delimiter_and_limit_hold_from_the_next_line_on():
    splitter = LineSplitter(b"\n", max_length=3)
    splitter.feed(b"a\nb;c\nd;e;f")
    assert next(splitter.split()) == b"a"
    splitter.configure(b";", None)
    assert list(splitter) == [b"b", b"c\nd", b"e"]


def test_a_new_delimiter_is_looked_for_in_what_has_come_already():
    splitter = LineSplitter(b"\n")
    splitter.feed(b"a;b")
    assert list(splitter) == []
    splitter.configure(b";", None)
    assert list(splitter) == [b"a"]


def test_lines_longer_than_a_block_and_blocks_of_many_lines():
    long = b"x" * (3 * BLOCK)
    stream = b"".join(b"%d\r\n" % number for number in range(5000))
    given, _ = split([long + b"\n" + stream + long + b"\r", b"\n" + stream])
    numbers = [b"%d" % number for number in range(5000)]
    assert given == [long, *numbers, long, *numbers]


def test_a_cr_lf_that_straddles_two_blocks_ends_one_line():
    stream = b"x" * (BLOCK - 1) + b"\r\nnext\n"
    assert split([stream])[0] == [b"x" * (BLOCK - 1), b"next"]
    assert split([stream], keep_ends=True)[0] == [b"x" * (BLOCK - 1) + b"\r\n", b"next\n"]


def test_a_drip_of_a_mebibyte_is_one_line():
    # Where a byte costs the copying of the line so far, this takes minutes.
    splitter = LineSplitter()
    for _ in range(1 << 20):
        splitter.feed(b"x")
        assert not list(splitter)
    splitter.feed(b"\n")
    assert list(splitter) == [b"x" * (1 << 20)]


def test_lines_with_their_ends_one_by_one():
    given, _ = split([b"a\r\0b\0\nc\r", b"\nd\r\ne"], keep_ends=True)
    assert given == [b"a\r\0", b"b\0\n", b"c\r", b"\n", b"d\r\n"]
    assert split([b"a;b;c"], b";", keep_ends=True)[0] == [b"a;", b"b;"]
