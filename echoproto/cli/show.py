"""`echoproto show`: prints session files as the wire view.

`wire.session_view` makes the lines.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

import click

from echoproto.cli.run import STDOUT, is_terminal
from echoproto.cli.session_files import check_used, read_session, set_option

if TYPE_CHECKING:
    from echoproto.wire.hex_rows import Line

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "dim": {"dim": True},
    "sent": {"fg": "cyan"},
    "received": {"fg": "green"},
    "escape": {"fg": "magenta"},
    "telnet": {"fg": "magenta"},
    "notice": {"bold": True},
}
"""How a terminal shows each style."""


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...", required=True, type=click.Path())
@set_option
def show(*, files: tuple[str, ...], values: dict[str, bytes]) -> None:
    """Print session FILEs as the bytes on the wire: what is sent, what is expected, and when."""
    from echoproto.wire.session_view import session_lines

    has_colours = is_terminal(STDOUT) and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size().columns
    sessions = [read_session(name) for name in files]
    check_used(values, sessions)
    for session in sessions:
        if len(sessions) > 1:
            click.echo(f"{session.name}:")
        for line in session_lines(session, values, width):
            click.echo(_text(line, has_colours=has_colours))


def _text(line: Line, *, has_colours: bool) -> str:
    return "".join(
        click.style(text, **_STYLES[style]) if has_colours and style else text
        for style, text in line
    )
