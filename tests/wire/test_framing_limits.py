"""Lines that are too long: reported once, skipped to their end, and no more."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.errors import LineTooLongError
from echoproto.wire.framing import ANY_LINE_END, LineSplitter
from echoproto.wire.framing import MAX_BLOCK as BLOCK
from line_streams import chunked, split


@given(chunked(), st.integers(0, 6))
def test_lines_with_their_ends_are_limited_by_what_they_hold_without(chunks, limit):
    with_ends, _ = split(chunks, max_length=limit, keep_ends=True)
    without, _ = split(chunks, max_length=limit)
    joined = [line for line in with_ends if line != b"\0"]  # the late half of CR NUL
    assert with_ends.count(None) == without.count(None)
    bare = [line and re.sub(rb"(\r\n|\r\0|\r|\n)$", b"", line) for line in joined]
    assert [line for line in bare if line] == [line for line in without if line]


def test_a_line_that_is_too_long_is_reported_once_and_the_next_is_whole():
    splitter = LineSplitter(max_length=5)
    splitter.feed(b"short\nseven77")
    assert next(iter(splitter)) == b"short"
    with pytest.raises(LineTooLongError, match="a line of more than 5 bytes") as raised:
        list(splitter)
    assert raised.value.line == b"seven77"
    splitter.feed(b"still the same line")
    assert list(splitter) == []
    splitter.feed(b"\r\nnext\r\n")
    assert list(splitter) == [b"next"]


def test_an_unfinished_line_is_too_long_only_when_no_delimiter_can_end_it_in_time():
    splitter = LineSplitter(b"\r\n", max_length=5)
    splitter.feed(b"12345\r")
    assert list(splitter) == []
    splitter.feed(b"\n")
    assert list(splitter) == [b"12345"]


def test_putting_back_ends_the_skipping_of_a_line():
    splitter = LineSplitter(max_length=3)
    splitter.feed(b"12345\n")
    with pytest.raises(LineTooLongError) as raised:
        list(splitter)
    splitter.put_back(raised.value.line[3:])
    assert list(splitter) == [b"45"]


@pytest.mark.parametrize("later", [ANY_LINE_END, b"\r\n"])
def test_a_line_that_is_being_skipped_ends_with_the_new_delimiter(later):
    splitter = LineSplitter(b"\r\n", max_length=3)
    splitter.feed(b"123456\r")
    with pytest.raises(LineTooLongError):
        list(splitter)
    splitter.configure(later, 5)
    splitter.feed(b"\nnext\r\n")
    assert list(splitter) == [b"next"]


def test_a_skipped_line_ends_with_a_delimiter_that_comes_in_pieces():
    splitter = LineSplitter(b"END", max_length=3)
    given = []
    for chunk in (b"123456", b"78E", b"N", b"Dok1END", b"too long", b"END", b"ok2END"):
        splitter.feed(chunk)
        with suppress(LineTooLongError):
            given.extend(splitter)
    given.extend(splitter)
    assert given == [b"ok1", b"ok2"]


def test_half_a_delimiter_at_the_end_of_what_is_refused_is_remembered():
    splitter = LineSplitter(b"\r\n", max_length=4)
    splitter.feed(b"xxxxxx\r")
    with pytest.raises(LineTooLongError):
        list(splitter)
    assert list(splitter) == []
    splitter.feed(b"\none\r\ntwo\r\n")
    assert list(splitter) == [b"one", b"two"]


def test_short_lines_before_one_that_is_too_long_in_the_same_chunk():
    for keep_ends in (False, True):
        given, _ = split([b"a\nb\ntoo long\nc\n"], max_length=3, keep_ends=keep_ends)
        assert [line and line.rstrip() for line in given] == [b"a", b"b", None, b"c"]


@pytest.mark.parametrize("limit", [100, 5000, BLOCK, 2 * BLOCK])
def test_limits_shorter_and_longer_than_a_block(limit):
    for length in (limit, limit + 1):
        given, _ = split([b"short\n" * BLOCK + b"x" * length + b"\r\nlast\n"], max_length=limit)
        assert given[:BLOCK] == [b"short"] * BLOCK
        assert given[BLOCK:] == [None if length > limit else b"x" * length, b"last"]


@pytest.mark.parametrize(
    ("keep_rest", "lines"),
    [
        (True, [b"short", b"seven77", b"and more", b"next"]),
        (False, [b"short", b"seven77", b"next"]),
    ],
)
def test_a_line_that_is_too_long_can_be_cut_with_its_rest_kept_or_skipped(keep_rest, lines):
    splitter = LineSplitter(max_length=5)
    splitter.feed(b"short\nseven77")
    cut = list(splitter.cut(keep_rest=keep_rest))
    splitter.max_length = None
    splitter.feed(b"and more\nnext\n")
    assert cut + list(splitter.cut(keep_rest=keep_rest)) == lines


@given(chunked(), st.integers(1, 6))
def test_lines_that_are_cut_and_keep_their_rest_lose_nothing(chunks, limit):
    splitter = LineSplitter(max_length=limit)
    cut = []
    for chunk in chunks:
        splitter.feed(chunk)
        cut += splitter.cut(keep_rest=True)
    lines, _ = split(chunks)
    assert b"".join([*cut, splitter.partial]).startswith(b"".join(lines))


@pytest.mark.parametrize(
    "chunks",
    [
        [b"seven77\n\nnext\n"],  # with its end in the same chunk
        [b"seven77", b"\n\nnext\n"],
        [b"seven77", b"\r", b"\n", b"\n", b"next\n"],
    ],
)
def test_a_line_that_is_cut_just_before_its_end_has_no_empty_rest(chunks):
    splitter = LineSplitter(max_length=5)
    lines = []
    for chunk in chunks:
        splitter.feed(chunk)
        lines += splitter.cut(keep_rest=True)
    assert lines == [b"seven77", b"", b"next"]
