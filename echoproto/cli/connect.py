"""`echoproto [connect]`: opens a shell on a target if run in a terminal, and a pipe otherwise.

`shell.app` is the shell, and `piping` runs the pipe. Without a target, `embedded` starts a server.
"""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import click

from echoproto.cli import options
from echoproto.cli.piping import PIPE_ONLY, pipe_options, run_pipe
from echoproto.cli.run import STDIN, STDOUT, is_terminal, run
from echoproto.cli.wire import wire_options, wire_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from echoproto.cli.piping import PipeOptions
    from echoproto.client.target import Target


_SHELL_ONLY: Final = ("eol", "stamps", "record", "once", "reconnect")
"""The options that have no effect in a pipe, by the names of their parameters."""


@click.command()
@options.optional_target_argument
@options.wait_option
@click.option(
    "--eol",
    type=click.Choice(["crlf", "lf", "cr", "crnul", "nul", "none"]),
    help="Shell: line end to send after each line. Default: crlf, or CR NUL where telnet requires "
    "it.",
)
@click.option(
    "-t", "--timestamps", "stamps", is_flag=True, help="Shell: show a time stamp on each line."
)
@click.option(
    "--record",
    type=click.Path(),
    metavar="FILE",
    help="Shell: record the connection in FILE, a new session file, for replay.",
)
@click.option("--once", is_flag=True, help="Shell: end when the server closes the connection.")
@click.option(
    "--reconnect",
    is_flag=True,
    help="Shell: connect again by itself when a connection fails or ends, after a time that grows.",
)
@options.wait_open_option
@options.telnet_option
@options.insecure_option
@wire_options
@pipe_options
def connect(
    *,
    target: Target | None,
    eol: str | None,
    stamps: bool,
    record: str | None,
    once: bool,
    reconnect: bool,
    **given: Unpack[PipeOptions],
) -> None:
    """Open a shell on TARGET, or a pipe if standard input or output is not a terminal."""
    is_shell = is_terminal(STDIN, STDOUT)
    for option in options.given(PIPE_ONLY if is_shell else _SHELL_ONLY).values():
        where = "a pipe; to run one in a terminal, use send" if is_shell else "the shell"
        raise click.UsageError(f"{option} has an effect only in {where}")
    if once and reconnect:
        raise click.UsageError("--once ends with the first connection: leave out --reconnect")
    if target is None and given["wait_open"]:
        raise click.UsageError("--wait-open needs a TARGET: the shell's own server is always there")
    with ExitStack() as stack:
        history = None
        if target is None:
            from echoproto.client.target import Target
            from echoproto.embedded import embedded_server

            target = Target("127.0.0.1", stack.enter_context(embedded_server()))
            history = "embedded"
        if not is_shell:
            run_pipe(target, [STDIN], **given)
            return
        options.check_insecure(target, insecure=given["insecure"])
        with _no_collection():
            from echoproto.shell.app import Options, run_shell
            from echoproto.shell.settings import Settings
            from echoproto.wire.framing import LINE_ENDS

        telnet = options.telnet_mode(given["telnet"], target, "auto")
        settings = Settings(line_end=LINE_ENDS.get(eol or ""), wire=given["wire"], stamps=stamps)
        shell_options = Options(
            wait=given["wait"],
            insecure=given["insecure"],
            telnet=given["telnet"],
            once=once,
            reconnect=reconnect,
            wait_open=given["wait_open"],
            settings=settings,
            record=record,
            outputs=stack.enter_context(wire_outputs(given, telnet)),
        )
        run(run_shell(target, shell_options, history=history or str(target)))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Import without garbage collection, which finds nothing then, and takes a tenth of the time.

    What was imported is left out of later collections too: it stays until the end.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
