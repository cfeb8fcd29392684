"""`echoproto [connect]`: opens a shell on a target if run in a terminal, and a pipe otherwise.

`shell.app` is the shell, and `piping` runs the pipe. Without a target, `embedded` starts a server.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from echoproto.cli import options
from echoproto.cli.piping import run_pipe
from echoproto.cli.run import STDIN, STDOUT, is_terminal, run

if TYPE_CHECKING:
    from typing import Unpack

    from echoproto.cli.piping import PipeOptions
    from echoproto.client.target import Target


@click.command()
@options.optional_target_argument
@options.wait_option
@click.option(
    "--eol",
    type=click.Choice(["crlf", "lf"]),
    help="Shell: line end to send after each line. Default: crlf, or CR NUL where telnet requires "
    "it.",
)
@options.telnet_option
@options.insecure_option
@options.crlf_option
@options.idle_option
def connect(*, target: Target | None, eol: str | None, **pipe_options: Unpack[PipeOptions]) -> None:
    """Open a shell on TARGET, or a pipe if standard input or output is not a terminal."""
    with ExitStack() as stack:
        history = None
        if target is None:
            from echoproto.client.target import Target
            from echoproto.embedded import embedded_server

            target = Target("127.0.0.1", stack.enter_context(embedded_server()))
            history = "embedded"
        if not is_terminal(STDIN, STDOUT):
            run_pipe(target, [STDIN], **pipe_options)
            return
        from echoproto.shell.app import run_shell

        shell = run_shell(
            target,
            wait=pipe_options["wait"],
            insecure=pipe_options["insecure"],
            line_end={"crlf": b"\r\n", "lf": b"\n"}.get(eol or ""),
            telnet=options.telnet_mode(pipe_options["telnet"], target, "auto"),
            history=history or str(target),
        )
        run(shell)
