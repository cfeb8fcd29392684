"""Lines of the wire view on a terminal, in colours.

`wire` and `show` use this module. `wire.hex_rows` defines the styles.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from echoproto.cli.run import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from echoproto.wire.hex_rows import Line, Style

_ATTRIBUTES: Final[dict[Style, dict[str, Any]]] = {
    "dim": {"dim": True},
    "sent": {"fg": "cyan"},
    "received": {"fg": "green"},
    "escape": {"fg": "magenta"},
    "telnet": {"fg": "magenta"},
    "notice": {"bold": True},
}
"""How a terminal shows each style, as arguments of `click.style`."""


def wants_colours(fd: int) -> bool:
    """Whether `fd` is a terminal with colours, and its user wants them (no-color.org)."""
    return is_terminal(fd) and not os.environ.get("NO_COLOR")


def coloured(lines: Iterable[Line]) -> str:
    """Return `lines` with the escape sequences for their styles, each with a line end."""
    return "".join(
        "".join(click.style(text, **_ATTRIBUTES.get(style, {})) for style, text in line) + "\n"
        for line in lines
    )
