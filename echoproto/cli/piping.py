"""Connects to a target without a shell, and runs the connection as a pipe.

`pipe_options` gives a command the options that only a pipe has. `client.pipe` moves the bytes.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import click

from echoproto.cli.options import SECONDS, Number, check_insecure, given, telnet_mode
from echoproto.cli.run import STDIN, STDOUT, run
from echoproto.cli.wire import WireOptions, pipe_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Unpack

    from echoproto.client.connection import ClientConnection
    from echoproto.client.pipe import HalfClose
    from echoproto.client.target import Target
    from echoproto.wire.tap import OnWire
    from echoproto.wire.telnet.scanner import TelnetMode

C = TypeVar("C", bound="Callable[..., Any]")


class PipeOptions(WireOptions):
    """The options of a command that runs a pipe, as click parses them."""

    wait: float | None
    wait_open: bool
    insecure: bool
    telnet: TelnetMode | None
    crlf: bool
    idle: float | None
    shutdown: float | None
    no_shutdown: bool
    quit_after: float | None
    send_only: bool
    recv_only: bool


_WAIT: Final = Number("seconds", least=0)

PIPE_ONLY: Final = {
    "crlf": click.option("-C", "--crlf", is_flag=True, help="Pipe: send LF as CR LF."),
    "idle": click.option(
        "-i",
        "--idle",
        type=SECONDS,
        metavar="SECONDS",
        help="Pipe: end when nothing has moved for this long: bytes that the server has taken, "
        "bytes that have arrived, and bytes that are read from the output.",
    ),
    "shutdown": click.option(
        "--shutdown",
        type=_WAIT,
        metavar="SECONDS",
        help="Pipe: after the end of input, half-close when the server has been silent for this "
        "long. Default: 0; on TLS, 2 if it has answered, and 10 if not.",
    ),
    "no_shutdown": click.option(
        "--no-shutdown", is_flag=True, help="Pipe: do not half-close after the end of input."
    ),
    "quit_after": click.option(
        "-q",
        "quit_after",
        type=_WAIT,
        metavar="SECONDS",
        help="Pipe: end this long after the server's system has taken the last input.",
    ),
    "send_only": click.option(
        "--send-only",
        is_flag=True,
        help="Pipe: drop what arrives, and end when the server's system has taken all input.",
    ),
    "recv_only": click.option(
        "-d", "--recv-only", is_flag=True, help="Pipe: send nothing, and do not read the input."
    ),
}
"""The options that have no effect in the shell, by the names of their parameters."""

_EXCLUDES: Final = {
    "send_only": (
        "receives nothing and ends with the input",
        ["recv_only", "no_shutdown", "shutdown", "quit_after"],
    ),
    "recv_only": ("sends nothing", ["crlf", "no_shutdown", "shutdown", "quit_after"]),
    "no_shutdown": ("never half-closes", ["shutdown"]),
}
"""For each option: what it means, and the options that contradict it or have no effect with it."""


def pipe_options(command: C) -> C:
    """Add the options that only a pipe has to `command`."""
    for option in reversed(PIPE_ONLY.values()):
        command = option(command)
    return command


@asynccontextmanager
async def _connect(
    target: Target, wait: float | None, *, wait_open: bool, **kwargs: Any
) -> AsyncIterator[ClientConnection]:
    """Connect to `target`. If that takes long, a terminal shows what is being connected to."""
    from echoproto.client.connection import connect
    from echoproto.client.notice import Notice, show_on

    async with AsyncExitStack() as stack:
        with Notice(target, show_on(sys.stderr), is_waiting=wait_open) as notice:
            connection = await stack.enter_async_context(
                connect(target, wait, on_attempt=notice.attempt, wait_open=wait_open, **kwargs)
            )
        yield connection


def connect_pipe(
    target: Target,
    *,
    wait: float | None,
    insecure: bool,
    telnet: TelnetMode = "never",
    wait_open: bool = False,
) -> Callable[[OnWire | None], AbstractAsyncContextManager[ClientConnection]]:
    """Return a function that connects to `target`, as an asynchronous context manager.

    On telnet, agree only to options that leave the bytes unchanged. With `wait_open`, wait until
    something listens there. The function takes the `on_wire` of `connect`.
    """
    from echoproto.wire.telnet.clients import pipe_codec

    codec = None if telnet == "never" else pipe_codec(telnet)
    return lambda on_wire: _connect(
        target, wait, wait_open=wait_open, insecure=insecure, telnet=codec, on_wire=on_wire
    )


def run_pipe(
    target: Target,
    files: Iterable[int],
    *,
    inputs: Sequence[str | int] = (STDIN,),
    **options: Unpack[PipeOptions],
) -> None:
    """Send the data from the file descriptors `files`, and print what comes back.

    `inputs` are the descriptors and the paths of `files`. Raises click.UsageError if the options
    contradict each other, or the target.
    """
    _check(given(PIPE_ONLY))
    check_insecure(target, insecure=options["insecure"])
    telnet = telnet_mode(options["telnet"], target, "never")
    connecting = connect_pipe(
        target,
        wait=options["wait"],
        insecure=options["insecure"],
        telnet=telnet,
        wait_open=options["wait_open"],
    )

    def hint() -> None:
        if options["shutdown"] is None:
            tls = "" if target.path or target.is_tls else "if it speaks TLS, give tls://; "
            click.echo(
                f"echoproto: {target.name} sent nothing, and closed when we half-closed: {tls}if "
                "it should have answered, try --no-shutdown; if not, give --send-only",
                err=True,
            )

    async def pipe_files(on_wire: OnWire | None) -> None:
        from echoproto.client.pipe import pipe

        async with connecting(on_wire) as connection:
            await pipe(
                connection,
                None if options["recv_only"] else files,
                None if options["send_only"] else STDOUT,
                crlf=options["crlf"],
                idle=options["idle"],
                half_close=_half_close(options),
                quit_after=options["quit_after"],
                on_silence=hint,
            )

    with pipe_wire(options, telnet, inputs, is_mixed=not options["send_only"]) as on_wire:
        run(pipe_files(on_wire))


def _check(written: dict[str, str]) -> None:
    for name, option in written.items():
        means, excluded = _EXCLUDES.get(name, ("", []))
        for other in excluded:
            if other in written:
                raise click.UsageError(f"{option} {means}: leave out {written[other]}")


def _half_close(options: PipeOptions) -> HalfClose | None:
    from echoproto.client.pipe import NEVER, HalfClose

    if options["no_shutdown"]:
        return NEVER
    seconds = options["shutdown"]
    return None if seconds is None else HalfClose(seconds, seconds)
