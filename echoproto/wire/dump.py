r"""How bytes are shown to a person on a terminal: text as text, everything else escaped.

What is shown can do nothing to the terminal: no control character (C0, C1, DEL), no change of the
direction of writing, no line separator passes. Those, and bytes that are not UTF-8, are shown as
``\xNN``, byte by byte, so that nothing that came is invisible. A tab becomes spaces.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB_STOP: Final = 8

# Not printable by `str.isprintable`, but text: the spaces of Zs, and the two joiners that scripts
# and emoji need. None of them moves the cursor other than a letter does.
_TEXT_TOO: Final = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
                             "\u2009\u200a\u202f\u205f\u3000\u200c\u200d")  # fmt: skip


def fragments(data: bytes) -> Iterator[tuple[str, bool]]:
    """Cut `data` into pieces of (what to show, whether that is an escape)."""
    text = data.decode("utf-8", "surrogateescape")
    if "\t" in text:
        text = text.expandtabs(TAB_STOP)
    if text.isprintable():
        yield text, False
        return
    for is_text, run in groupby(text, _is_text):
        piece = "".join(run)
        if not is_text:
            piece = "".join(f"\\x{byte:02x}" for byte in piece.encode("utf-8", "surrogateescape"))
        yield piece, not is_text


def escape(data: bytes) -> str:
    r"""`data` as one line of text that is safe to print; what is not text as ``\xNN``."""
    return "".join(piece for piece, _ in fragments(data))


def _is_text(char: str) -> bool:
    return char.isprintable() or char in _TEXT_TOO
