"""`echoproto replay`: replays session files, and says whether all is as recorded.

`wire.session_file` reads a file, and `client.replay` replays it on a connection. `junit` writes the
results for CI.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from echoproto.cli import options
from echoproto.cli.junit import Outcome, junit_xml
from echoproto.cli.run import run
from echoproto.cli.session_files import check_values, read_session, set_option, target_of
from echoproto.cli.wire import pipe_wire, wire_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Unpack

    from echoproto.cli.wire import WireOptions
    from echoproto.client.connection import ClientConnection
    from echoproto.client.target import Target
    from echoproto.wire.session_entries import SessionFile
    from echoproto.wire.tap import OnWire
    from echoproto.wire.telnet.scanner import TelnetMode


@click.command()
@click.argument("words", nargs=-1, metavar="FILE... [TARGET]", required=True)
@options.wait_option
@options.telnet_option
@options.insecure_option
@wire_options
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="Time that each expected line may take, where the file does not say.",
)
@set_option
@click.option(
    "--repeat",
    type=options.Number("times", int, least=1),
    default=1,
    metavar="COUNT",
    help="Replay each FILE so many times, on a new connection each time, up to the first "
    "difference.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write the results to FILE too, as JUnit XML for CI.",
)
def replay(
    *,
    words: tuple[str, ...],
    wait: float | None,
    telnet: TelnetMode | None,
    insecure: bool,
    timeout: float,
    values: dict[str, bytes],
    repeat: int,
    junit: str | None,
    **wire: Unpack[WireOptions],
) -> None:
    """Replay session FILEs on TARGET. Print the first difference of each.

    Each > line of a FILE is sent, and each < line must come. TARGET replaces the target that a FILE
    names. The exit status is 0 if all is as recorded, and 1 if not.
    """
    names = [words[0], *takewhile(os.path.isfile, words[1:])]
    rest = words[len(names) :]
    try:
        given = options.only_target(rest) if rest else None
    except click.UsageError as error:
        raise click.UsageError(f"{rest[0]!r} is no file, and no target: {error.message}") from None
    sessions = [read_session(name) for name in names]
    check_values(values, sessions)
    if junit is not None:
        _check_junit(junit, names)
    replays = [
        Replay(session, given or target_of(session), values, timeout, wait, telnet, insecure)
        for session in sessions
    ]
    modes = {each.check_options() for each in replays}

    async def replay_all(on_wire: OnWire | None) -> list[Outcome]:
        return [await each.run(repeat, on_wire) for each in replays]

    with pipe_wire(wire, modes.pop() if len(modes) == 1 else "auto", names) as on_wire:
        outcomes = run(replay_all(on_wire), fast=True)
    if junit is not None:
        _write_junit(junit, junit_xml(outcomes))
    good = sum(outcome.is_good for outcome in outcomes)
    if len(outcomes) > 1:
        click.echo(f"{good} of {len(outcomes)} sessions are as recorded", err=True)
    if good < len(outcomes):
        raise SystemExit(1)


def _check_junit(name: str, names: Sequence[str]) -> None:
    """Raise click.UsageError before the replay if the results could not be written after it."""
    path = Path(name)
    if not name:
        raise click.UsageError("--junit takes the name of a file")
    if not path.parent.is_dir():
        raise click.UsageError(f"--junit {path}: there is no folder {path.parent}")
    if path.exists() and any(path.samefile(name) for name in names):
        raise click.UsageError(f"--junit {path}: this file is a session to replay")


def _write_junit(name: str, document: bytes) -> None:
    try:
        Path(name).write_bytes(document)
    except OSError as error:
        error.filename = name
        raise


@dataclass(frozen=True)
class Replay:
    """A session to replay on a target, and the options for it."""

    session: SessionFile
    target: Target
    values: dict[str, bytes]
    timeout: float
    wait: float | None
    telnet: TelnetMode | None
    insecure: bool

    def check_options(self) -> TelnetMode:
        """Return the telnet mode.

        Raises click.UsageError for an option that contradicts the target, or has no effect.
        """
        options.check_insecure(self.target, insecure=self.insecure)
        return options.telnet_mode(self.telnet, self.target, self.session.telnet or "never")

    async def run(self, repeat: int, on_wire: OnWire | None) -> Outcome:
        """Replay the session up to `repeat` times, up to the first difference, and print it."""
        from echoproto.client.replay import replay
        from echoproto.errors import NetworkError

        start = perf_counter()
        failure = error = ""
        number = 0
        try:
            while number < repeat and not failure:
                number += 1
                async with self._connect(on_wire) as connection:
                    found = await replay(connection, self.session, self.values, self.timeout)
                    failure = str(found) if found else ""
        except NetworkError as problem:
            error = f"{self.session.name}: {problem}"
        seconds = perf_counter() - start
        if failure or error:
            time = f"(at repetition {number} of {repeat})\n" if repeat > 1 else ""
            click.echo(
                f"{time}{failure}" if failure else f"{time}echoproto: {error}", err=not failure
            )
        else:
            click.echo(self._summary(repeat, seconds), err=True)
        return Outcome(self.session.name, seconds, failure, error)

    def _connect(self, on_wire: OnWire | None) -> AbstractAsyncContextManager[ClientConnection]:
        """Connect, and answer telnet as the shell does, in which sessions are recorded."""
        from echoproto.client.connection import connect
        from echoproto.wire.telnet.clients import shell_codec

        mode = self.check_options()
        codec = None if mode == "never" else shell_codec(mode)
        return connect(
            self.target, self.wait, insecure=self.insecure, telnet=codec, on_wire=on_wire
        )

    def _summary(self, repeat: int, seconds: float) -> str:
        sent, expected = self.session.counts
        times = f"{repeat} times, each " if repeat > 1 else ""
        return (
            f"{self.session.name}: as recorded ({times}{sent} line{'s' * (sent != 1)} sent, "
            f"{expected} expected; {seconds:.3f} s)"
        )
