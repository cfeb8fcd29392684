"""Streams of lines, and a model of how they are split, for tests."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from echoproto.errors import LineTooLongError
from echoproto.wire.framing import ANY_LINE_END, LineSplitter

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
