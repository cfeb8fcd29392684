from __future__ import annotations

import re
import sys
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from echoproto.errors import LineTooLongError
from echoproto.wire.framing import ANY_LINE_END, LineSplitter, line_ends_to_crlf, to_crlf
from echoproto.wire.framing import MAX_BLOCK as BLOCK

# Few different bytes, so that line ends and delimiters are often met, and often cut.
STREAMS = st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n", b"\0"]), max_size=60).map(b"".join)
DELIMITERS = st.sampled_from([ANY_LINE_END, b"\n", b"\r\n", b"aa", b"aba", b"\r\n\r\n"])
LIMITS = st.none() | st.integers(0, 6)


@st.composite
def chunked(draw):
    """A stream, cut into chunks."""
    stream = draw(STREAMS)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def split(chunks, *args, **kwargs):
    """All that a splitter gives for `chunks`, with None for a line that is too long; and it."""
    splitter = LineSplitter(*args, **kwargs)
    given = []
    for chunk in chunks:
        splitter.feed(chunk)
        while True:
            try:
                given.extend(splitter)
                break
            except LineTooLongError:
                given.append(None)
    return given, splitter


def model(stream, delimiter, limit):
    """The same, the plain way: the lines, and what is left."""
    if delimiter is ANY_LINE_END:
        *lines, rest = re.split(rb"\r\n|\r\0|\r|\n", stream)
    else:
        *lines, rest = stream.split(delimiter)
    return [None if limit is not None and len(line) > limit else line for line in lines], rest


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
def test_lines_with_their_ends_are_the_stream(chunks, delimiter):
    given, splitter = split(chunks, delimiter, keep_ends=True)
    assert b"".join([*given, splitter.partial]) == b"".join(chunks)


@given(chunked(), st.integers(0, 6))
def test_lines_with_their_ends_are_limited_by_what_they_hold_without(chunks, limit):
    with_ends, _ = split(chunks, max_length=limit, keep_ends=True)
    without, _ = split(chunks, max_length=limit)
    joined = [line for line in with_ends if line != b"\0"]  # the late half of CR NUL
    assert with_ends.count(None) == without.count(None)
    bare = [line and re.sub(rb"(\r\n|\r\0|\r|\n)$", b"", line) for line in joined]
    assert [line for line in bare if line] == [line for line in without if line]


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


def test_the_lf_of_a_line_that_was_not_taken_is():
    splitter = LineSplitter()
    splitter.feed(b"one\ntwo\r")
    assert next(splitter.split()) == b"one"
    splitter.feed(b"\nthree")
    assert splitter.take_rest() == b"two\r\nthree"
    splitter.feed(b"\nfour\n")
    assert list(splitter) == [b"", b"four"]


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


def test_what_is_put_back_comes_first():
    splitter = LineSplitter()
    splitter.feed(b"two\nthree")
    splitter.put_back(b"one\n")
    assert list(splitter) == [b"one", b"two"]
    assert splitter.partial == b"three"


def test_putting_back_ends_the_skipping_of_a_line():
    splitter = LineSplitter(max_length=3)
    splitter.feed(b"12345\n")
    with pytest.raises(LineTooLongError) as raised:
        list(splitter)
    splitter.put_back(raised.value.line[3:])
    assert list(splitter) == [b"45"]


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


@given(chunked())
def test_lf_becomes_cr_lf_and_cr_lf_stays(chunks):
    converted, after_cr = b"", False
    for chunk in filter(None, chunks):
        converted += to_crlf(chunk, after_cr=after_cr)
        after_cr = chunk.endswith(b"\r")
    assert converted == re.sub(rb"(?<!\r)\n", b"\r\n", b"".join(chunks))


def test_half_a_delimiter_at_the_end_of_what_is_refused_is_remembered():
    splitter = LineSplitter(b"\r\n", max_length=4)
    splitter.feed(b"xxxxxx\r")
    with pytest.raises(LineTooLongError):
        list(splitter)
    assert list(splitter) == []
    splitter.feed(b"\none\r\ntwo\r\n")
    assert list(splitter) == [b"one", b"two"]


def test_taking_the_rest_at_every_line_splits_no_more_than_it_must():
    # Where each taking costs the splitting of all that has come, this takes minutes.
    message, count = b"2\r\n\r\n", 20_000
    splitter = LineSplitter()
    splitter.feed(message * count)
    for _ in range(count):
        assert next(splitter.split()) == b"2"
        splitter.put_back(splitter.take_rest()[2:])
    assert splitter.take_rest() == b""


def test_lines_with_their_ends_one_by_one():
    given, _ = split([b"a\r\0b\0\nc\r", b"\nd\r\ne"], keep_ends=True)
    assert given == [b"a\r\0", b"b\0\n", b"c\r", b"\n", b"d\r\n"]
    assert split([b"a;b;c"], b";", keep_ends=True)[0] == [b"a;", b"b;"]


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
    ("data", "after_cr", "converted"),
    [
        (b"", False, b""),
        (b"a\nb\r\nc\r\0d\re", False, b"a\r\nb\r\nc\r\0d\re"),
        (b"\na\n", True, b"\na\r\n"),
        (b"\na\n", False, b"\r\na\r\n"),
    ],
)
def test_converting_lf_one_by_one(data, after_cr, converted):
    assert to_crlf(data, after_cr=after_cr) == converted


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
