"""The escape sequences of terminals (ECMA-48, section 5.4): where they end, and their parameters.

`lines`, above, gives them their effect. Nothing is below this module.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SEQUENCE: Final = 1024
"""Number of characters after which an escape sequence without an end is treated as text."""

_SEQUENCE: Final = re.compile(
    r"""
      \x1b\[ (?P<parameters>[0-9;]*|[0-9;:]*(?=m)) (?P<final>[@-~])  # CSI parameters final
    | \x1b\[ [0-?]* [ -/]* [@-~]                          # CSI for private use, or of another kind
    | \x1b[\]P^_X] [^\x07\x1b]* (?:\x07|\x1b\\)           # OSC, DCS, PM, APC, SOS ... ST
    | \x1b [ -/]* [0-OQ-WYZ\\`-~]                          # the others
    """,
    re.VERBOSE,
)
_START: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b]*\x1b?|[ -/]*)", re.DOTALL)


def match_sequence(text: str, position: int) -> re.Match[str] | None:
    """Match the escape sequence at `position`; None if it is not complete or is too long.

    The groups `parameters` and `final` are those of a control sequence; None for other sequences.
    """
    return _SEQUENCE.match(text, position, position + MAX_SEQUENCE)


def is_partial_sequence(text: str, position: int) -> bool:
    """Whether the rest of `text` is the start of an escape sequence."""
    rest = text[position : position + MAX_SEQUENCE]
    return len(rest) < MAX_SEQUENCE and bool(_START.fullmatch(rest))


def first_number(parameters: str) -> int:
    """Return the first of `parameters`, or 0 if it is left out."""
    return int(parameters.partition(";")[0][:6] or 0)


def count(parameters: str) -> int:
    """Return the first of `parameters` as a number of times: 1 if it is 0 or left out."""
    return first_number(parameters) or 1
