"""`echoproto send`: sends files to a target, and prints what comes back.

`piping` runs the pipe.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from echoproto.cli import options
from echoproto.cli.piping import pipe_options, run_pipe
from echoproto.cli.run import STDIN

if TYPE_CHECKING:
    from typing import Unpack

    from echoproto.cli.piping import PipeOptions

_FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command()
@click.argument("words", nargs=-1, metavar="TARGET [FILE]...", required=True)
@options.wait_option
@options.telnet_option
@options.insecure_option
@pipe_options
def send(*, words: tuple[str, ...], **given: Unpack[PipeOptions]) -> None:
    """Send FILEs to TARGET and print what comes back. - or no FILE is standard input."""
    target, names = options.read_target(words)
    if names and given["recv_only"]:
        raise click.UsageError(f"--recv-only sends nothing: leave out {names[0]!r}")
    with ExitStack() as stack:
        files = [
            STDIN if name == "-" else stack.enter_context(_FILE(name).open("rb")).fileno()
            for name in names or ["-"]
        ]
        run_pipe(target, files, **given)
