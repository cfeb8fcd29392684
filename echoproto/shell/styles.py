"""The styles of the shell, which can be read on every terminal, whatever its colours.

The 16 named colours are of no use here: each of them cannot be read on some common background. For
example, "bright black" is the background of Solarized, and green cannot be read on white. Therefore
there are two sets of styles:

- `COLOURED` has colours of the cube of 256, which a terminal shows as they are. Each has a contrast
  of at least MIN_CONTRAST to the usual dark and light backgrounds.
- `PLAIN` is for terminals with fewer colours, or none, and for users who want none (NO_COLOR). It
  has only bold, underline and reverse, which even a VT100 shows.

In both, a suggestion differs from what is typed, and an escape from text that looks like it. A new
style needs an entry in both. `screen` uses this module.
"""

from __future__ import annotations

import curses
from typing import TYPE_CHECKING, Final

from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.styles import Style

if TYPE_CHECKING:
    from prompt_toolkit.output import Output
    from prompt_toolkit.output.vt100 import Vt100_Output

MIN_CONTRAST: Final = 3.0
"""Smallest contrast between text and its background (WCAG 2, 1.4.11: from 1 to 21)."""

_GREY, _TEAL, _ORANGE = "#808080", "#5f8787", "#d75f00"
_BLUE, _GREEN, _PINK = "#0087d7", "#5f875f", "#d75faf"

COLOURED: Final = {
    "prompt": f"{_TEAL} bold",
    "escape": _ORANGE,
    "sent": _GREY,
    "auto-suggestion": _GREY,
    "search": "noinherit underline",
    "incsearch.current": "noinherit reverse",
    "control-character": _ORANGE,
    "nbsp": f"{_ORANGE} underline",
    "dim": _GREY,
    "no-line-end": "reverse",
    "wire.dim": _GREY,
    "wire.sent": _BLUE,
    "wire.received": _GREEN,
    "wire.escape": _ORANGE,
    "wire.telnet": _PINK,
    "wire.notice": "bold",
}
"""The styles of a terminal of 256 colours or more, by their names in text ("class:prompt")."""

PLAIN: Final = {
    "prompt": "bold",
    "escape": "reverse",
    "sent": "",
    "auto-suggestion": "noinherit underline",
    "search": "noinherit underline",
    "incsearch.current": "noinherit reverse",
    "control-character": "noinherit reverse",
    "nbsp": "noinherit underline",
    "dim": "",
    "no-line-end": "reverse",
    "wire.dim": "",
    "wire.sent": "bold",
    "wire.received": "",
    "wire.escape": "reverse",
    "wire.telnet": "underline",
    "wire.notice": "bold",
}
"""The same for a terminal of fewer colours."""

_FEW: Final = (ColorDepth.DEPTH_1_BIT, ColorDepth.DEPTH_4_BIT)


def styles_for(output: Output) -> Style:
    """Return the styles for a terminal."""
    return Style.from_dict(PLAIN if output.get_default_color_depth() in _FEW else COLOURED)


def limit_colours(output: Vt100_Output) -> None:
    """Let `output` send no colours to a terminal that has none (a VT100).

    prompt_toolkit takes every terminal but "dumb" and "linux" for one of 256 colours. NO_COLOR and
    PROMPT_TOOLKIT_COLOR_DEPTH, which it knows, have precedence.
    """
    if output.default_color_depth is None and _has_no_colours(output.term):
        output.default_color_depth = ColorDepth.DEPTH_1_BIT


def _has_no_colours(term: str | None) -> bool:
    """Whether terminfo knows the terminal, and says that it has no colours.

    Python asks terminfo for one terminal only, the first.
    """
    try:
        curses.setupterm(term, fd=1)
    except curses.error:
        return False
    return curses.tigetnum("colors") <= 0
