"""`echoproto ping`: measures how long a server takes to answer a line.

`client.ping` sends the lines and times the answers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from echoproto.cli import options
from echoproto.cli.piping import connect_pipe
from echoproto.cli.run import run
from echoproto.cli.wire import pipe_wire, wire_options

if TYPE_CHECKING:
    from typing import Unpack

    from echoproto.cli.wire import WireOptions
    from echoproto.client.target import Target
    from echoproto.wire.tap import OnWire


@click.command()
@options.target_argument
@options.wait_option
@options.insecure_option
@wire_options
@click.option(
    "-c",
    "--count",
    type=options.Number("lines", int, least=1),
    metavar="COUNT",
    help="Number of lines to send. By default, ping runs until Ctrl-C.",
)
@click.option(
    "-i",
    "--interval",
    type=options.SECONDS,
    default=1,
    show_default=True,
    metavar="SECONDS",
    help="Time from one line to the next.",
)
@click.option(
    "-W",
    "--timeout",
    type=options.SECONDS,
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="Time to wait for each answer. What takes longer is lost; if it comes after all, it is "
    "shown as late.",
)
@click.option(
    "--send",
    "text",
    metavar="TEXT",
    help="Send this line with CR LF, and count the next line that arrives as its answer, whatever "
    "its text. For servers that do not echo.",
)
def ping(
    *,
    target: Target,
    wait: float | None,
    insecure: bool,
    count: int | None,
    interval: float,
    timeout: float,
    text: str | None,
    **wire: Unpack[WireOptions],
) -> None:
    """Send lines to TARGET at an interval, on one connection. Print how long each answer took.

    The exit status is 0 if at least one answer came in time, and 1 if none did.
    """
    if text is not None and ("\n" in text or "\r" in text):
        raise click.UsageError("--send takes one line: TEXT must not contain a line end")
    options.check_insecure(target, insecure=insecure)
    telnet = options.telnet_mode(None, target, "never")
    connecting = connect_pipe(target, wait=wait, insecure=insecure, telnet=telnet)
    line = None if text is None else os.fsencode(text)

    async def ping_and_print(on_wire: OnWire | None) -> bool:
        import asyncio

        from echoproto.client.ping import Ping

        async with connecting(on_wire) as connection:
            pings = Ping(
                connection,
                text=line,
                interval=interval,
                count=count,
                timeout=timeout,
                say=click.echo,
            )
            try:
                await pings.run()
            except asyncio.CancelledError:
                pass  # Ctrl-C is the usual end without --count
            finally:
                click.echo("\n".join(pings.summary()))
        return pings.times.count > 0

    with pipe_wire(wire, telnet) as on_wire:
        has_answer = run(ping_and_print(on_wire), fast=True)
    if not has_answer:
        raise SystemExit(1)
