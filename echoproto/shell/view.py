"""Turns bytes and lines into text with styles, for the shell to print.

No byte from the peer reaches the terminal without passing through `wire.dump`, which escapes
everything that is not text. The styles in a line are those that `sgr` allows. `row`, below, has the
lines.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text.utils import fragment_list_len
from prompt_toolkit.layout.processors import Processor, Transformation
from prompt_toolkit.layout.utils import explode_text_fragments

from echoproto.shell.row import StyledLine, cells_of, runs_of, to_bytes
from echoproto.wire.dump import escape_all, fragments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.layout.processors import TransformationInput


NO_LINE_END: Final = ("class:no-line-end", "⏎")
"""What stands behind a line that has no line end."""

_NO_LINE_END_IN_ASCII: Final = "%"


def show(data: bytes, style: str = "") -> StyleAndTextTuples:
    """Return `data` as text in `style`, and in the styles that a line has.

    Bytes that are not text are escaped, in another colour.
    """
    if isinstance(data, StyledLine):
        return [
            shown for run_style, run in runs_of(data) for shown in show(run, f"{style} {run_style}")
        ]
    return [("class:escape" if is_escape else style, text) for text, is_escape in fragments(data)]


def show_at(line: bytes, cursor: int, style: str = "") -> tuple[StyleAndTextTuples, int]:
    """Return a line as `show` does, and the cursor's place in it as it is shown.

    `cursor` is a number of cells from the start of the line (`Lines.cursor`). The place is a number
    of characters of what is shown, as prompt_toolkit counts them. In the middle of a wide character
    it is before that character.
    """
    cells = cells_of(line)
    while 0 < cursor < len(cells) and not cells[cursor]:
        cursor -= 1
    return show(line, style), fragment_list_len(show(to_bytes("".join(cells[:cursor]))))


def show_lines(lines: Iterable[bytes]) -> StyleAndTextTuples:
    """Return the lines as text, each followed by a line end."""
    shown: StyleAndTextTuples = []
    plain: list[str] = []  # text since the last escape, joined to one fragment for speed
    for line in lines:
        if isinstance(line, StyledLine):
            shown += [("", "".join(plain)), *show(line)]
            plain = ["\n"]
            continue
        for text, is_escape in fragments(line):
            if is_escape:
                shown += [("", "".join(plain)), ("class:escape", text)]
                plain = []
            else:
                plain.append(text)
        plain.append("\n")
    return [*shown, ("", "".join(plain))]


def encodable(shown: StyleAndTextTuples, encoding: str) -> StyleAndTextTuples:
    r"""Return `shown` with each character that the terminal's `encoding` lacks as ``\xNN``."""
    result: StyleAndTextTuples = []
    for style, text, *_ in shown:
        if (style, text) == NO_LINE_END and not text.encode(encoding, "ignore"):
            result.append((style, _NO_LINE_END_IN_ASCII))
            continue
        for lacks, run in groupby(text, lambda char: not char.encode(encoding, "ignore")):
            piece = "".join(run)
            result.append(("class:escape", escape_all(piece)) if lacks else (style, piece))
    return result


class EscapeProcessor(Processor):
    """Shows the line that is typed as `escaped` returns it, and the cursor where it belongs."""

    def __init__(self, escaped: Callable[[StyleAndTextTuples], StyleAndTextTuples]) -> None:
        self._escaped = escaped

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """See prompt_toolkit's Processor."""
        typed = transformation_input.fragments
        if self._escaped(typed) == typed:
            return Transformation(typed)
        shown: StyleAndTextTuples = []
        starts = [0]  # where each character is shown
        for character in explode_text_fragments(typed):
            shown += self._escaped([character])
            starts.append(fragment_list_len(shown))
        starts.append(starts[-1] + 1)  # the cursor may be after the line
        return Transformation(shown, starts.__getitem__, lambda at: bisect_right(starts, at) - 1)
