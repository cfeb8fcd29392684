"""The line ends that the user can choose, in words.

`commands` and `silence` say them. `wire.framing`, below, has their bytes.
"""

from __future__ import annotations

from typing import Final

from echoproto.wire.framing import LINE_ENDS

LINE_END_WORDS: Final = {
    "crlf": "CR LF",
    "lf": "LF",
    "cr": "CR",
    "crnul": "CR NUL",
    "nul": "NUL",
    "none": "no line end",
}
"""What each name of `LINE_ENDS` means."""

_NAMES: Final = {line_end: name for name, line_end in LINE_ENDS.items()}


def describe_line_end(line_end: bytes) -> str:
    """Return a line end in words, such as "CR LF"."""
    return LINE_END_WORDS[_NAMES[line_end]]
