r"""Bytes as text for a person at a terminal: text is shown as text, everything else is escaped.

The rules:

- The output cannot control the terminal. Control characters (C0, C1, DEL), characters that change
  the direction of writing, and line separators are escaped.
- Nothing that arrived is invisible. Each byte of an escaped character, and each byte that is not
  UTF-8, is shown as ``\xNN``.
- A tab becomes spaces, up to the next multiple of TAB_STOP columns.

Nothing is below this module. The shell, `ping` and `bench` are above it.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB_STOP: Final = 8
"""Columns from one tab stop to the next."""

# `str.isprintable` rejects these characters, but they are text: the spaces of category Zs, and the
# two joiners that scripts and emoji need, which move the cursor no differently than a letter does;
# and the tab, which becomes spaces.
_TEXT_TOO: Final = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
                             "\u2009\u200a\u202f\u205f\u3000\u200c\u200d\t")  # fmt: skip

_ZERO_WIDTH: Final = frozenset(["Mn", "Me", "Cf"])
"""Categories of characters that take no column: marks, and the two joiners."""


def fragments(data: bytes) -> Iterator[tuple[str, bool]]:
    """Yield `data` as pairs of the text to show and whether that text is escaped bytes."""
    text = data.decode("utf-8", "surrogateescape")
    has_tabs = "\t" in text
    simple = text.expandtabs(TAB_STOP) if has_tabs and text.isascii() else text
    if simple.isprintable():
        yield simple, False
        return
    column = 0
    for is_text, run in groupby(text, _is_text):
        piece = "".join(run)
        if not is_text:
            piece = escape_all(piece)
        elif has_tabs:
            piece = _expand_tabs(piece, column)
        if has_tabs:
            column += _width(piece)
        yield piece, not is_text


def escape(data: bytes) -> str:
    r"""Return `data` as one line of text that is safe to print, with ``\xNN`` for other bytes."""
    return "".join(piece for piece, _ in fragments(data))


def escape_all(text: str) -> str:
    r"""Return each byte of `text`, encoded in UTF-8, as ``\xNN``."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))


def _is_text(char: str) -> bool:
    return char.isprintable() or char in _TEXT_TOO


def _expand_tabs(text: str, column: int) -> str:
    """Return `text`, which begins in `column`, with each tab as spaces up to the next tab stop.

    `str.expandtabs` would count characters, but a wide one takes two columns, and an accent none.
    """
    expanded, *others = text.split("\t")
    column += _width(expanded)
    for piece in others:
        spaces = TAB_STOP - column % TAB_STOP
        expanded += " " * spaces + piece
        column += spaces + _width(piece)
    return expanded


def _width(text: str) -> int:
    """Return the number of columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
        if unicodedata.category(char) not in _ZERO_WIDTH
    )
