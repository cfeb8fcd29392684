"""The command line, and the only place that joins the client, the shell and the embedded server.

Exit status, as in ncat: 0 done, 1 a network error, 2 wrong usage or anything else, 130 Ctrl-C.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from echoproto.client.connection import Connection
    from echoproto.client.load import Load
    from echoproto.client.target import Target
    from echoproto.client.telnet import TelnetConnection
    from echoproto.wire.telnet import TelnetMode


T = TypeVar("T")


class _Finite(click.FloatRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number of {self._unit}.", param, ctx)
        return number

    def __init__(self, unit: str, **limits: Any) -> None:
        super().__init__(**limits)
        self._unit = unit


SECONDS = _Finite("seconds", min=0, min_open=True)
LONGEST_BENCH: Final = 50_000  # seconds; what Latencies can record is a little more
MOST_IN_FLIGHT: Final = 1 << 30  # bytes
_STDIN, _STDOUT, _STDERR = 0, 1, 2
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


@cli.command(short_help="A pipe of files to TARGET, and of its answers to the output.")
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


@cli.command(short_help="Load on an echo server: throughput, latency, wrong bytes.")
@click.argument("words", nargs=-1, metavar="TARGET", required=True)
@wait_option
@insecure_option
@click.option(
    "-c", "--connections", type=click.IntRange(1), default=50, show_default=True, metavar="COUNT"
)
@click.option(
    "--depth",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="COUNT",
    help="Messages in flight on each connection.",
)
@click.option(
    "-s",
    "--size",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="BYTES",
    help="Of a message: a line of letters and digits, with its end.",
)
@click.option(
    "-C", "--crlf", is_flag=True, help="End messages with CR LF: some servers take no LF."
)
@click.option(
    "-d",
    "--duration",
    type=_Finite("seconds", min=0, min_open=True, max=LONGEST_BENCH),
    default=10,
    show_default=True,
    metavar="SECONDS",
)
@click.option(
    "-R",
    "--rate",
    type=_Finite("messages", min=0.001),
    metavar="COUNT",
    help="Messages a second, on all connections together, due at that rate whether or not the "
    "server keeps up: latency counts from when a message was due. If not given, a message is sent "
    "for each that has come back.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as a JSON object.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw latency by percentile and throughput over time: a .png or .svg.",
)
def bench(
    *,
    words: tuple[str, ...],
    wait: float | None,
    insecure: bool,
    connections: int,
    depth: int,
    size: int,
    crlf: bool,
    duration: float,
    rate: float | None,
    as_json: bool,
    plot: str | None,
) -> None:
    """Put load on TARGET, an echo server; check every byte; measure throughput and latency."""
    from echoproto.client.load import Load

    target = _not_telnet(_only_target(words))
    eol = b"\r\n" if crlf else b"\n"
    if size < len(eol):
        raise click.UsageError(f"--size {size} leaves no room for CR LF; give 2 or more")
    if connections * depth * size > MOST_IN_FLIGHT:
        raise click.UsageError(
            f"--connections, --depth and --size make {connections * depth * size:,} bytes in "
            f"flight; give less, for {MOST_IN_FLIGHT:,} at most"
        )
    if plot:
        _check_plot(plot)
    load = Load(connections, depth, size, eol, rate, duration)
    _run(_bench(target, load, wait, insecure=insecure, as_json=as_json, plot=plot), fast=True)


@cli.command(short_help="How long a server takes to answer a line.")
@click.argument("words", nargs=-1, metavar="TARGET", required=True)
@wait_option
@insecure_option
@click.option(
    "-c",
    "--count",
    type=click.IntRange(1),
    metavar="COUNT",
    help="Lines to send; if not given, until Ctrl-C.",
)
@click.option(
    "-i",
    "--interval",
    type=SECONDS,
    default=1,
    show_default=True,
    metavar="SECONDS",
    help="From line to line.",
)
@click.option(
    "--send",
    "text",
    metavar="TEXT",
    help="Send this line (and CR LF), and take the next line that comes as its answer, whatever "
    "it says. For servers that do not echo.",
)
def ping(
    *,
    words: tuple[str, ...],
    wait: float | None,
    insecure: bool,
    count: int | None,
    interval: float,
    text: str | None,
) -> None:
    """Send TARGET a line now and then, on one connection; print how long each answer took."""
    target = _only_target(words)
    if text is not None and ("\n" in text or "\r" in text):
        raise click.UsageError("--send takes one line: no line end in it")
    mode = _telnet_mode(None, target, "never")
    connecting = _connect(target, wait=wait, insecure=insecure, telnet=mode)
    sent = None if text is None else os.fsencode(text)
    if not _run(_ping(connecting, text=sent, interval=interval, count=count), fast=True):
        raise SystemExit(1)


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


async def _bench(
    target: Target,
    load: Load,
    wait: float | None,
    *,
    insecure: bool,
    as_json: bool,
    plot: str | None,
) -> None:
    from echoproto.client.bench import Bench
    from echoproto.client.connection import NetworkError
    from echoproto.shell.bench import plot as draw
    from echoproto.shell.bench import progress, table

    bench = Bench(target, load, wait=wait, insecure=insecure)
    try:
        with ExitStack() as stack:
            if os.isatty(_STDERR) and os.environ.get("TERM") != "dumb":
                bench.tell = stack.enter_context(progress(load.duration))
            await bench.run()
    finally:
        if bench.has_begun:
            result = bench.result()
            click.echo(json.dumps(asdict(result)) if as_json else table(result))
            if plot:
                draw(plot, result, bench.latencies.curve(), bench.samples)
    if problem := bench.problem():
        raise NetworkError(f"{target.name}: {problem}")


async def _ping(
    connecting: AbstractAsyncContextManager[Connection | TelnetConnection],
    *,
    text: bytes | None,
    interval: float,
    count: int | None,
) -> bool:
    """Ping until told to stop; whether any answer came."""
    from echoproto.client.ping import Ping

    async with connecting as connection:
        pings = Ping(connection, text=text, interval=interval, count=count, say=click.echo)
        try:
            await pings.run()
        except asyncio.CancelledError:
            pass  # that is how it ends when no count is given
        finally:
            click.echo("\n".join(pings.summary()))
    return bool(pings.times)


def _run(coroutine: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run to the end, or to an exit status and a line that says why. If `fast`, on uvloop."""
    from echoproto.client.connection import NetworkError

    received: list[int] = []

    async def until_signal() -> T:
        # What asyncio.run does for SIGINT by itself can miss one that comes as it goes to sleep.
        task = asyncio.ensure_future(coroutine)

        def stop(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        return await task

    try:
        with asyncio.Runner(loop_factory=_uvloop() if fast else None) as runner:
            return runner.run(until_signal())
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


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for this platform
        return None
    return uvloop.new_event_loop


def _fail(why: str, status: int) -> NoReturn:
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


def _check_plot(file: str) -> None:
    """What would go wrong with a plot is said before the run."""
    path = Path(file)
    if path.suffix.lower() not in (".png", ".svg"):
        raise click.UsageError(f"--plot {file}: give a file that ends in .png or .svg")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise click.UsageError(f"--plot {file}: no file can be written in {path.parent}")
    if find_spec("matplotlib") is None:
        raise click.UsageError("--plot needs matplotlib: pip install 'echoproto[plot]'")


def _not_telnet(target: Target) -> Target:
    if target.is_telnet:
        raise click.UsageError(
            f"{target}: telnet may change bytes, and every byte is checked; give tcp:// or tls://"
        )
    return target


def _only_target(words: Sequence[str]) -> Target:
    target, rest = _take_target(words)
    if rest:
        raise click.UsageError(f"unexpected argument {rest[0]!r} after the target {target.name}")
    return target
