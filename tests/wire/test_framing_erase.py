"""Erasing the last character, or all, of a line that has no end yet."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from echoproto.errors import LineTooLongError
from echoproto.wire.framing import ANY_LINE_END, LineSplitter
from line_streams import DELIMITERS, chunked, model

# Erasing

TEXTS = st.lists(
    st.sampled_from([b"a", b"b", "é".encode(), "€".encode(), b"\xff", b"\r", b"\n", b"\0"]),
    max_size=20,
).map(b"".join)


def without_its_last(line):
    """Without the last character, where bytes that are no UTF-8 are characters too."""
    text = line.decode("utf-8", "surrogateescape")
    return text[:-1].encode("utf-8", "surrogateescape")


@given(chunked(), TEXTS, DELIMITERS, st.integers(0, 9), st.booleans())
@example([b"aaa"], b"a", b"aa", 0, True)  # the delimiter is in it once
def test_erasing_changes_nothing_but_the_line_that_has_no_end_yet(
    chunks, after, delimiter, take, whole
):
    before = b"".join(chunks)
    splitter = LineSplitter(delimiter)
    taken = []
    for chunk in chunks:
        splitter.feed(chunk)
        taken += [line for _, line in zip(range(take), splitter, strict=False)]
    taken += splitter
    splitter.erase(line=whole)
    splitter.feed(after)
    taken += splitter

    lines, rest = model(before, delimiter, None)
    kept = b"" if whole else without_its_last(rest)
    if before.endswith(b"\r") and delimiter is ANY_LINE_END and after[:1] in (b"\n", b"\0"):
        after = after[1:]  # which belongs to the CR, as nothing was erased in between
    more, left = model(kept + after, delimiter, None)
    assert taken == lines + more
    assert splitter.partial == left


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (b"", b""),
        (b"a", b""),
        (b"abc", b"ab"),
        ("aé".encode(), b"a"),
        ("a€".encode(), b"a"),
        ("a\U0001f600".encode(), b"a"),
        (b"a\xff", b"a"),
        (b"a\x80\x80", b"a\x80"),
        (b"a\xe2\x82", b"a\xe2"),  # half of a character counts by its bytes
        ("é".encode() + b"\x80", "é".encode()),
    ],
)
def test_erasing_takes_one_character(line, left):
    splitter = LineSplitter()
    splitter.feed(b"one\n" + line)
    assert list(splitter) == [b"one"]
    splitter.erase(line=False)
    splitter.feed(b"\n")
    assert list(splitter) == [left]


def test_erasing_more_than_there_is_leaves_the_lines_before():
    splitter = LineSplitter()
    splitter.feed(b"one\r\ntwo\r\nthree\r\nab")
    assert list(splitter) == [b"one", b"two", b"three"]
    for _ in range(5):
        splitter.erase(line=False)
    splitter.erase(line=True)
    splitter.feed(b"c\r\n")
    assert list(splitter) == [b"c"]


@pytest.mark.parametrize("late", [b"\n", b"\0"])
def test_erasing_does_not_part_a_cr_from_what_belongs_to_it(late):
    for whole in (False, True):
        splitter = LineSplitter()
        splitter.feed(b"one\r")
        assert list(splitter) == [b"one"]
        splitter.erase(line=whole)
        splitter.feed(late + b"two\n")
        assert list(splitter) == [b"two"]


def test_erasing_with_the_ends_of_lines_kept():
    splitter = LineSplitter(keep_ends=True)
    splitter.feed(b"one\r\0two\r\nab")
    assert list(splitter) == [b"one\r\0", b"two\r\n"]
    splitter.erase(line=False)
    splitter.feed(b"c\n")
    assert list(splitter) == [b"ac\n"]


@pytest.mark.parametrize(
    ("delimiter", "stream"), [(ANY_LINE_END, b"\n"), (b"\n", b"\n"), (b"END", b"END")]
)
def test_erasing_a_line_that_is_being_skipped(delimiter, stream):
    def skipping():
        splitter = LineSplitter(delimiter, max_length=3)
        splitter.feed(b"123456")
        with pytest.raises(LineTooLongError):
            list(splitter)
        return splitter

    splitter = skipping()
    splitter.erase(line=True)
    splitter.feed(b"new" + stream)
    assert list(splitter) == [b"new"]
    splitter = skipping()
    splitter.erase(line=False)
    splitter.feed(b"78" + stream + b"new" + stream)
    assert list(splitter) == [b"new"]


def test_what_erasing_leaves_of_a_line_is_still_what_has_come_of_it():
    splitter = LineSplitter()
    splitter.feed(b"one\ntwo")
    assert list(splitter) == [b"one"]
    splitter.erase(line=False)
    assert list(splitter) == []
    assert splitter.partial == b"tw"
