"""`echoproto send`: sends files to a target, and prints what comes back.

`piping` runs the pipe.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from echoproto.cli import options
from echoproto.cli.piping import pipe_options, run_pipe
from echoproto.cli.run import NAMES, STDIN
from echoproto.cli.wire import wire_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from echoproto.cli.piping import PipeOptions

_FILE: Final = click.Path(exists=True, dir_okay=False)


@click.command()
@click.argument(
    "words",
    nargs=-1,
    metavar="TARGET [FILE]...",
    required=True,
    shell_complete=options.complete_target,
)
@options.wait_option
@options.wait_open_option
@options.telnet_option
@options.insecure_option
@wire_options
@pipe_options
def send(*, words: tuple[str, ...], **given: Unpack[PipeOptions]) -> None:
    """Send FILEs to TARGET and print what comes back. - or no FILE is standard input."""
    target, names = options.read_target(words)
    if names and given["recv_only"]:
        raise click.UsageError(f"--recv-only sends nothing: leave out {names[0]!r}")
    for name in names:
        if name != "-":
            _FILE(name)  # before anything is sent
    inputs = [STDIN if name == "-" else name for name in names or ["-"]]
    run_pipe(target, _open_each(names or ["-"]), inputs=inputs, **given)


def _open_each(names: Sequence[str]) -> Iterator[int]:
    """Open each file when its turn comes, and close it afterwards. Yields descriptors.

    Raises OSError for a file that cannot be opened, or became shorter while it was sent.
    """
    for name in names:
        if name == "-":
            yield STDIN
            continue
        # Without O_NONBLOCK, opening a FIFO would block everything until its writer comes. With it,
        # the descriptor becomes readable when the writer comes. Reading is to block as usual.
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(fd, True)
        NAMES[fd] = name
        try:
            size = os.fstat(fd).st_size
            yield fd
            if os.fstat(fd).st_size < size:
                raise OSError(None, "it became shorter while it was sent", name)
        finally:
            os.close(fd)
