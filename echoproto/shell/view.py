"""How lines look in the shell. Nothing here lets a byte of the peer reach the terminal as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echoproto.wire.dump import fragments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit.formatted_text import StyleAndTextTuples


def show(data: bytes, style: str = "") -> StyleAndTextTuples:
    """Bytes as text; what is not text is escaped, and in a colour of its own."""
    return [("class:escape" if is_escape else style, text) for text, is_escape in fragments(data)]


def show_lines(lines: Iterable[bytes]) -> StyleAndTextTuples:
    """Lines of the peer, each on a line of its own."""
    shown: StyleAndTextTuples = []
    plain: list[str] = []  # what has come since the last escape: one fragment, however many lines
    for line in lines:
        for text, is_escape in fragments(line):
            if is_escape:
                shown += [("", "".join(plain)), ("class:escape", text)]
                plain = []
            else:
                plain.append(text)
        plain.append("\n")
    return [*shown, ("", "".join(plain))]
