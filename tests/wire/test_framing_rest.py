"""What was not taken as lines can be had back, and what was is counted."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from echoproto.errors import LineTooLongError
from echoproto.wire.framing import ANY_LINE_END, LineSplitter
from echoproto.wire.framing import MAX_BLOCK as BLOCK
from line_streams import DELIMITERS, LIMITS, chunked, model, split


@given(chunked(), DELIMITERS, st.integers(0, 20))
def test_what_is_not_taken_can_be_had_back_as_it_came(chunks, delimiter, take):
    stream = b"".join(chunks)
    splitter = LineSplitter(delimiter)
    for chunk in chunks:
        splitter.feed(chunk)
    taken = [line for _, line in zip(range(take), splitter, strict=False)]
    rest = splitter.take_rest()
    lines, left = model(stream, delimiter, None)
    assert taken == lines[:take]
    assert model(rest, delimiter, None) == (lines[take:], left)
    assert stream.endswith(rest)
    assert splitter.take_rest() == b""


def test_the_lf_of_a_line_that_was_taken_is_not_part_of_the_rest():
    splitter = LineSplitter()
    splitter.feed(b"head\r")
    assert list(splitter) == [b"head"]
    assert splitter.take_rest() == b""
    splitter.feed(b"\nbody")
    assert splitter.take_rest() == b"body"


def test_a_cr_that_is_forgotten_takes_no_lf():
    splitter = LineSplitter()
    splitter.feed(b"head\r")
    assert list(splitter) == [b"head"]
    assert splitter.forget_cr()
    assert not splitter.forget_cr()
    splitter.feed(b"\nbody\r\n")
    assert list(splitter) == [b"", b"body"]
    assert not splitter.forget_cr()


def test_the_lf_of_a_line_that_was_not_taken_is():
    splitter = LineSplitter()
    splitter.feed(b"one\ntwo\r")
    assert next(splitter.split()) == b"one"
    splitter.feed(b"\nthree")
    assert splitter.take_rest() == b"two\r\nthree"
    splitter.feed(b"\nfour\n")
    assert list(splitter) == [b"", b"four"]


def test_what_is_put_back_comes_first():
    splitter = LineSplitter()
    splitter.feed(b"two\nthree")
    splitter.put_back(b"one\n")
    assert list(splitter) == [b"one", b"two"]
    assert splitter.partial == b"three"


def test_lines_that_were_not_taken_come_with_the_next_call():
    splitter = LineSplitter()
    splitter.feed(b"one\ntwo\nthree\n")
    assert next(splitter.split()) == b"one"
    assert next(splitter.split()) == b"two"
    assert list(splitter) == [b"three"]


def test_taking_the_rest_ends_a_loop_over_the_lines():
    splitter = LineSplitter()
    splitter.feed(b"one\ntwo\nthree\n")
    taken = []
    for line in splitter.split():
        taken.append(line)
        rest = splitter.take_rest()
    assert taken == [b"one"]
    assert rest == b"two\nthree\n"
    assert splitter.taken == 1


@given(chunked(), DELIMITERS, LIMITS)
@example([b"aaa", b"a"], b"aa", None)
def test_taking_a_chunk_changes_nothing_but_that_one_line_is_returned(chunks, delimiter, limit):
    expected, _ = split(chunks, delimiter, limit)
    splitter, given = LineSplitter(delimiter, limit), []
    for chunk in chunks:
        line = splitter.take(chunk)
        if line is not None:
            assert not splitter.unsplit
            given.append(line)
        while True:
            try:
                given.extend(splitter)
                break
            except LineTooLongError:
                given.append(None)
    assert given == expected
    assert splitter.taken == len(given)


@pytest.mark.parametrize(
    ("delimiter", "data", "line"),
    [
        (ANY_LINE_END, b"hello\n", b"hello"),
        (ANY_LINE_END, b"hi\r\n", b"hi"),
        (ANY_LINE_END, b"\n", b""),
        (b"\r\n", b"hi!\r\n", b"hi!"),
        (b"\r\n", b"\r\n", b""),
        (ANY_LINE_END, b"", None),
        (ANY_LINE_END, b"hello", None),
        (ANY_LINE_END, b"hi\r", None),  # of which an LF may still come
        (ANY_LINE_END, b"a\nb\n", None),
        (ANY_LINE_END, b"a\r\0b\n", None),
        (ANY_LINE_END, b"123456\n", None),
        (b"\r\n", b"a\r\nb\r\n", None),
        (b"\r\n", b"\n", None),
        (b"\r\n", b"12345\r\n", None),
    ],
)
def test_what_is_one_line_and_what_is_not(delimiter, data, line):
    assert LineSplitter(delimiter, max_length=6).take(data) == line


def test_lines_that_were_taken_with_their_chunk_can_be_had_back():
    splitter = LineSplitter()
    assert splitter.take(b"one\ntwo\r\nthree\n") is None
    assert next(splitter.split()) == b"one"
    assert splitter.take_rest() == b"two\r\nthree\n"


@given(chunked(), DELIMITERS, LIMITS, st.integers(0, 9))
def test_it_knows_how_many_lines_were_taken(chunks, delimiter, limit, take):
    splitter = LineSplitter(delimiter, limit)
    taken = 0
    for number, chunk in enumerate(chunks):
        splitter.feed(chunk)
        with suppress(LineTooLongError):
            try:
                for _ in zip(range(take), splitter, strict=False):
                    taken += 1
            except LineTooLongError:
                taken += 1
                raise
        if number == 1:
            splitter.put_back(splitter.take_rest())
        assert splitter.taken == taken


def test_what_was_split_is_not_kept_once_all_is_taken():
    splitter = LineSplitter()
    splitter.feed(b"x\n" * BLOCK)
    assert sum(1 for _ in splitter) == BLOCK
    assert sum(sys.getsizeof(getattr(splitter, name)) for name in ("unsplit", "_block")) < 100


def test_taking_the_rest_at_every_line_splits_no_more_than_it_must():
    # Where each taking costs the splitting of all that has come, this takes minutes.
    message, count = b"2\r\n\r\n", 20_000
    splitter = LineSplitter()
    splitter.feed(message * count)
    for _ in range(count):
        assert next(splitter.split()) == b"2"
        splitter.put_back(splitter.take_rest()[2:])
    assert splitter.take_rest() == b""


def test_letting_go_tells_whether_nothing_is_left():
    splitter = LineSplitter()
    assert splitter.take(b"one\ntwo\n") is None
    assert next(splitter.split()) == b"one"
    assert not splitter.discard_taken()
    assert next(splitter.split()) == b"two"
    assert splitter.discard_taken()
    splitter.feed(b"thr")
    assert not splitter.discard_taken()
    assert list(splitter) == []
    assert splitter.discard_taken()
    assert splitter.take(b"ee\n") is None  # something waited before it
    assert list(splitter) == [b"three"]


def test_changing_nothing_leaves_what_was_split():
    splitter = LineSplitter(b"\n", max_length=9)
    splitter.feed(b"one\ntwo\n")
    assert next(splitter.split()) == b"one"
    splitter.configure(splitter.delimiter, 9)
    assert next(splitter.split()) == b"two"
