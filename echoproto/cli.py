"""The command line, and the only place that joins the client, the shell and the embedded server.

Exit status, as in ncat: 0 done, 1 a network error, 2 wrong usage or anything else, 130 Ctrl-C.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from echoproto.client.connection import Connection
    from echoproto.client.target import Target
    from echoproto.client.telnet import TelnetConnection
    from echoproto.wire.telnet import TelnetMode


class _Seconds(click.FloatRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0, min_open=True)
_STDIN, _STDOUT = 0, 1
FILE = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=str)


class _DefaultConnect(click.Group):
    """A group in which `connect` need not be said."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *(opt for param in self.get_params(ctx) for opt in param.opts)}
        if not (args and args[0] in own) and not ctx.resilient_parsing:
            args = ["connect", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own, connects = self.get_params(ctx), self.commands["connect"].get_params(ctx)
        options = {param.name: param for param in [*connects, *own] if param.opts[0][0] == "-"}
        records = [record for option in options.values() if (record := option.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(records)
        self.format_commands(ctx, formatter)


wait_option = click.option(
    "-w",
    "--wait",
    type=SECONDS,
    metavar="SECONDS",
    help="How long connecting may take; if not given, as long as the system lets it.",
)
crlf_option = click.option("-C", "--crlf", is_flag=True, help="Pipe: send LF as CR LF.")
telnet_option = click.option(
    "--telnet",
    type=click.Choice(["auto", "always", "never"]),
    help="Is the server telnet? auto: when it shows that it is. If not given: auto in the shell, "
    "never in a pipe, and always for telnet:// and telnets://.",
)
insecure_option = click.option(
    "-k", "--insecure", is_flag=True, help="TLS: accept any certificate."
)
idle_option = click.option(
    "-i", "--idle", type=SECONDS, metavar="SECONDS", help="Pipe: end when idle for so long."
)


@click.group(
    cls=_DefaultConnect,
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[OPTIONS]",
    subcommand_metavar="[TARGET]",
)
@click.version_option(package_name="echoproto")
def cli() -> None:
    """Talk to a line server: a shell when run in a terminal, otherwise a pipe.

    TARGET is HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT,
    telnet://HOST[:PORT], telnets://HOST[:PORT] or unix:///PATH. Without one, an echo server is
    started on a free loopback port, for as long as echoproto runs.
    """


@cli.command(short_help="A shell or a pipe on TARGET; this is the default command.")
@click.argument("words", nargs=-1, metavar="[TARGET]")
@wait_option
@click.option(
    "--eol",
    type=click.Choice(["crlf", "lf"]),
    help="Shell: what ends a line that is sent; crlf if not given, as far as telnet lets it.",
)
@telnet_option
@insecure_option
@crlf_option
@idle_option
def connect(
    *,
    words: tuple[str, ...],
    wait: float | None,
    eol: str | None,
    telnet: TelnetMode | None,
    insecure: bool,
    crlf: bool,
    idle: float | None,
) -> None:
    """Open a shell on TARGET; a pipe if standard input or output is not a terminal."""
    with ExitStack() as stack:
        history = None
        if words:
            target = _only_target(words)
        else:
            from echoproto.client.target import Target
            from echoproto.embedded import embedded_server

            target = Target("127.0.0.1", stack.enter_context(embedded_server()))
            history = "embedded"
        if os.isatty(_STDIN) and os.isatty(_STDOUT) and os.environ.get("TERM") != "dumb":
            from echoproto.shell.app import run_shell

            shell = run_shell(
                target,
                wait=wait,
                insecure=insecure,
                eol={"crlf": b"\r\n", "lf": b"\n"}.get(eol or ""),
                telnet=_telnet_mode(telnet, target, "auto"),
                history=history or str(target),
            )
            _run(shell)
        else:
            mode = _telnet_mode(telnet, target, "never")
            connecting = _connect(target, wait=wait, insecure=insecure, telnet=mode)
            _run(_pipe(connecting, [_STDIN], crlf=crlf, idle=idle))


@cli.command()
@click.argument("words", nargs=-1, metavar="TARGET [FILE]...", required=True)
@wait_option
@telnet_option
@insecure_option
@crlf_option
@idle_option
def send(
    *,
    words: tuple[str, ...],
    wait: float | None,
    telnet: TelnetMode | None,
    insecure: bool,
    crlf: bool,
    idle: float | None,
) -> None:
    """Send FILEs (standard input if none, or for -) to TARGET; print what comes back."""
    target, names = _take_target(words)
    with ExitStack() as stack:
        files = [
            _STDIN if name == "-" else stack.enter_context(Path(FILE(name)).open("rb")).fileno()
            for name in names or ["-"]
        ]
        mode = _telnet_mode(telnet, target, "never")
        connecting = _connect(target, wait=wait, insecure=insecure, telnet=mode)
        _run(_pipe(connecting, files, crlf=crlf, idle=idle))


def main() -> None:
    """Run the command line."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None:  # and its number would be that of the next file that is opened
            _fail(f"standard {name} is closed", 2)
    cli(prog_name="echoproto")


@asynccontextmanager
async def _connect(
    target: Target, *, wait: float | None, insecure: bool, telnet: TelnetMode
) -> AsyncIterator[Connection | TelnetConnection]:
    """Connect, for a pipe."""
    from echoproto.client.connection import connect

    async with connect(target, wait, insecure=insecure) as connection:
        if telnet == "never":
            yield connection
            return
        from echoproto.client.telnet import FOR_PIPE, TelnetConnection
        from echoproto.wire.telnet import TelnetCodec

        async with TelnetConnection(
            connection, TelnetCodec(FOR_PIPE, mode=telnet, ayt=b"")
        ) as through:
            yield through


async def _pipe(
    connecting: AbstractAsyncContextManager[Connection | TelnetConnection],
    files: Sequence[int],
    *,
    crlf: bool,
    idle: float | None,
) -> None:
    from echoproto.client.pipe import pipe

    async with connecting as connection:
        await pipe(connection, files, _STDOUT, crlf=crlf, idle=idle)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or to an exit status and a line that says why."""
    from echoproto.client.connection import NetworkError

    received: list[int] = []

    async def until_signal() -> None:
        # What asyncio.run does for SIGINT by itself can miss one that comes as it goes to sleep.
        task = asyncio.ensure_future(coroutine)

        def stop(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        await task

    try:
        asyncio.run(until_signal())
    except NetworkError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        # Who reads our output has enough; nothing more is to be said, or flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
        raise SystemExit(1) from None
    except OSError as error:
        _fail(str(error), 2)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise SystemExit(128 + (received or [signal.SIGINT])[0]) from None


def _fail(why: str, status: int) -> None:
    click.echo(f"echoproto: {why}", err=True)
    raise SystemExit(status)


def _take_target(words: Sequence[str]) -> tuple[Target, list[str]]:
    from echoproto.client.target import TargetError, take_target

    try:
        return take_target(words)
    except TargetError as error:
        raise click.UsageError(str(error)) from None


def _telnet_mode(given: TelnetMode | None, target: Target, otherwise: TelnetMode) -> TelnetMode:
    if not target.is_telnet:
        return given or otherwise
    if given == "never":
        raise click.UsageError(f"--telnet never contradicts {target}; give tcp:// or tls://")
    return given or "always"


def _only_target(words: Sequence[str]) -> Target:
    target, rest = _take_target(words)
    if rest:
        raise click.UsageError(f"unexpected argument {rest[0]!r} after the target {target.name}")
    return target
