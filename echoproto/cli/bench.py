"""`echoproto bench`: puts load on an echo server, and prints the result.

This module checks the options. `client.bench` runs the load, and `report` shows the result.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from echoproto.cli import options
from echoproto.cli.run import STDERR, is_terminal, run
from echoproto.cli.session_files import check_values, read_session, set_option, target_of

if TYPE_CHECKING:
    from echoproto.client.bench import Bench
    from echoproto.client.load import Load
    from echoproto.client.session_load import SessionLoad
    from echoproto.client.target import Target

MAX_DURATION: Final = 50_000
"""Longest run, in seconds. Latencies can record times that are a little longer."""

MAX_SIZE: Final = 1 << 24
"""Largest message, in bytes: several different ones are kept in memory."""

MAX_RATE: Final = 1e9
"""Highest rate, in messages per second: far more than can be sent."""

MAX_IN_FLIGHT: Final = 1 << 30
"""Maximum number of bytes in flight, on all connections together."""


@click.command()
@options.optional_target_argument
@options.wait_option
@options.insecure_option
@click.option(
    "-c",
    "--connections",
    type=options.Number("connections", int, least=1),
    default=50,
    show_default=True,
    metavar="COUNT",
    help="Number of connections.",
)
@click.option(
    "--depth",
    type=options.Number("messages", int, least=1),
    default=1,
    show_default=True,
    metavar="COUNT",
    help="Number of messages in flight on each connection.",
)
@click.option(
    "-s",
    "--size",
    type=options.Number("bytes", int, least=1, most=MAX_SIZE),
    default=64,
    show_default=True,
    metavar="BYTES",
    help="Size of a message, which is a line of letters and digits, including its line end.",
)
@click.option(
    "-C", "--crlf", is_flag=True, help="End messages with CR LF, for servers that do not accept LF."
)
@click.option(
    "-d",
    "--duration",
    type=options.Number("seconds", above=0, most=MAX_DURATION),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="Time during which messages are sent.",
)
@click.option(
    "-R",
    "--rate",
    type=options.Number("messages per second", least=0.001, most=MAX_RATE),
    metavar="COUNT",
    help="Number of messages per second, on all connections together. Messages are due at this "
    "rate whether or not the server keeps up, and latency counts from the time when a message was "
    "due. By default, a message is sent for each one that comes back.",
)
@click.option(
    "--session",
    "session_name",
    type=click.Path(),
    metavar="FILE",
    help="Run this session file again and again on each connection, in place of an echo. One run "
    "is a message. If the server speaks first or a side ends, each run has a new connection.",
)
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as a JSON object.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw latency by percentile and throughput over time into a .png or .svg file.",
)
def bench(
    *,
    target: Target | None,
    wait: float | None,
    insecure: bool,
    connections: int,
    depth: int,
    size: int,
    crlf: bool,
    duration: float,
    rate: float | None,
    session_name: str | None,
    values: dict[str, bytes],
    as_json: bool,
    plot: str | None,
) -> None:
    """Put load on TARGET, an echo server. Check every byte, and measure throughput and latency."""
    session = _session(session_name, values)
    if target is None:
        if session is None:
            raise click.UsageError("Missing argument 'TARGET'.")
        target = target_of(session.session)
    if target.is_telnet:
        raise click.UsageError(
            f"{target}: telnet may change bytes, but bench checks every byte; give tcp:// or tls://"
        )
    options.check_insecure(target, insecure=insecure)
    if session and target.is_tls and session.half_closes:
        raise click.UsageError(f"--session {session_name}: bench cannot half-close TLS")
    line_end = b"\r\n" if crlf else b"\n"
    if size < len(line_end):
        raise click.UsageError(f"--size {size} leaves no room for CR LF; give 2 or more")
    if connections * depth * size > MAX_IN_FLIGHT:
        raise click.UsageError(
            f"--connections, --depth and --size put {connections * depth * size:,} bytes in "
            f"flight; lower them to make it {MAX_IN_FLIGHT:,} at most"
        )
    if plot:
        _check_plot(plot)
    from echoproto.client.bench import Bench
    from echoproto.client.load import Load

    load = Load(connections, depth, size, line_end, rate, duration)
    benching = Bench(target, load, wait=wait, insecure=insecure, session=session)
    run(_bench(benching, target, load, as_json=as_json, plot=plot), fast=True)


def _session(name: str | None, values: dict[str, bytes]) -> SessionLoad | None:
    """Return the session to run. Raises click.UsageError for an option that it excludes."""
    if name is None:
        if values:
            raise click.UsageError("--set has an effect only with --session")
        return None
    for option in options.given(["depth", "size", "crlf", "rate"]).values():
        raise click.UsageError(f"{option} has no effect with --session, which has its own lines")
    from echoproto.client.session_load import SessionLoad

    session = read_session(name)
    check_values(values, [session])
    try:
        return SessionLoad(session, values)
    except ValueError as error:
        raise click.UsageError(f"--session {name}: {error}") from None


def _check_plot(file: str) -> None:
    """Raise click.UsageError before the run if the plot could not be drawn after it."""
    from importlib.util import find_spec

    path = Path(file)
    if path.suffix.lower() not in (".png", ".svg"):
        raise click.UsageError(f"--plot {file}: the file name must end in .png or .svg")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise click.UsageError(f"--plot {file}: cannot write to the folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise click.UsageError("--plot needs matplotlib: pip install 'echoproto[plot]'")


async def _bench(
    benching: Bench, target: Target, load: Load, *, as_json: bool, plot: str | None
) -> None:
    import json
    from dataclasses import asdict

    from echoproto.cli import report
    from echoproto.errors import NetworkError

    try:
        with ExitStack() as stack:
            if is_terminal(STDERR):
                benching.on_progress = stack.enter_context(report.progress(load.duration))
            await benching.run()
    finally:
        if benching.has_begun:
            result = benching.result()
            click.echo(json.dumps(asdict(result)) if as_json else report.table(result))
            if plot:
                report.plot(plot, result, benching.latencies.curve(), benching.samples)
    if problem := benching.problem():
        raise NetworkError(f"{target.name}: {problem}")
