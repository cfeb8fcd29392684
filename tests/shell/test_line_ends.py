"""The words for the line ends."""

from __future__ import annotations

import pytest

from echoproto.shell.line_ends import LINE_END_WORDS, describe_line_end
from echoproto.wire.framing import LINE_ENDS


def test_each_line_end_has_words():
    assert LINE_END_WORDS.keys() == LINE_ENDS.keys()


@pytest.mark.parametrize(
    ("line_end", "words"),
    [(b"\r\n", "CR LF"), (b"\r\0", "CR NUL"), (b"", "no line end")],
)
def test_a_line_end_has_words(line_end, words):
    assert describe_line_end(line_end) == words
