"""How lines look in the shell. Nothing here lets a byte of the peer reach the terminal as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prompt_toolkit.styles import Style

from echoproto.wire.dump import fragments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit.formatted_text import StyleAndTextTuples

STYLE: Final = Style.from_dict(
    {
        "prompt": "ansigreen",
        "escape": "ansiyellow",
        "sent": "ansibrightblack",
        "auto-suggestion": "ansibrightblack",
    }
)


def show(data: bytes, style: str = "") -> StyleAndTextTuples:
    """Bytes as text; what is not text is escaped, and in a colour of its own."""
    return [("class:escape" if is_escape else style, text) for text, is_escape in fragments(data)]


def show_lines(lines: Iterable[bytes]) -> StyleAndTextTuples:
    """Lines of the peer, each on a line of its own."""
    return [fragment for line in lines for fragment in (*show(line), ("", "\n"))]
