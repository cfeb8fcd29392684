"""`echoproto ping`: how long a server takes to answer a line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from echoproto.cli import options
from echoproto.cli.piping import connect_pipe
from echoproto.cli.run import run

if TYPE_CHECKING:
    from echoproto.client.target import Target


@click.command()
@options.target_argument
@options.wait_option
@options.insecure_option
@click.option(
    "-c",
    "--count",
    type=options.Number("lines", int, least=1),
    metavar="COUNT",
    help="Lines to send; if not given, until Ctrl-C.",
)
@click.option(
    "-i",
    "--interval",
    type=options.SECONDS,
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
    target: Target,
    wait: float | None,
    insecure: bool,
    count: int | None,
    interval: float,
    text: str | None,
) -> None:
    """Send TARGET a line now and then, on one connection; print how long each answer took."""
    if text is not None and ("\n" in text or "\r" in text):
        raise click.UsageError("--send takes one line: no line end in it")
    connecting = connect_pipe(target, wait=wait, insecure=insecure)
    line = None if text is None else os.fsencode(text)

    async def ping_until_told() -> bool:
        import asyncio

        from echoproto.client.ping import Ping

        async with connecting as connection:
            pings = Ping(connection, text=line, interval=interval, count=count, say=click.echo)
            try:
                await pings.run()
            except asyncio.CancelledError:
                pass  # that is how it ends when no count is given
            finally:
                click.echo("\n".join(pings.summary()))
        return bool(pings.times)

    if not run(ping_until_told(), fast=True):
        raise SystemExit(1)
