"""`echoproto show`: prints session files as the wire view.

`wire.session_view` makes the lines.
"""

from __future__ import annotations

import shutil

import click

from echoproto.cli.colours import coloured, wants_colours
from echoproto.cli.run import STDOUT
from echoproto.cli.session_files import check_used, read_session, set_option


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...", required=True, type=click.Path())
@set_option
def show(*, files: tuple[str, ...], values: dict[str, bytes]) -> None:
    """Print session FILEs as the bytes on the wire: what is sent, what is expected, and when."""
    from echoproto.wire.session_view import session_lines
    from echoproto.wire.wire_view import text_of

    to_text = coloured if wants_colours(STDOUT) else text_of
    width = shutil.get_terminal_size().columns
    sessions = [read_session(name) for name in files]
    check_used(values, sessions)
    for session in sessions:
        if len(sessions) > 1:
            click.echo(f"{session.name}:")
        for line in session_lines(session, values, width):
            click.echo(to_text([line]), nl=False)
