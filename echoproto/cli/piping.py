"""A connection to a target as a pipe, for the commands that are not the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from echoproto.cli.options import telnet_mode
from echoproto.cli.run import STDOUT, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Unpack

    from echoproto.client.connection import ClientConnection
    from echoproto.client.target import Target
    from echoproto.wire.telnet.scanner import TelnetMode


class PipeOptions(TypedDict):
    """The options of a pipe, as click gives them."""

    wait: float | None
    insecure: bool
    telnet: TelnetMode | None
    crlf: bool
    idle: float | None


def connect_pipe(
    target: Target, *, wait: float | None, insecure: bool, telnet: TelnetMode | None = None
) -> AbstractAsyncContextManager[ClientConnection]:
    """Connect to `target`. Of telnet, no more is agreed to than what leaves bytes as they are."""
    from echoproto.client.connection import connect
    from echoproto.wire.telnet.codec import TelnetCodec
    from echoproto.wire.telnet.options import PIPE_POLICY

    mode = telnet_mode(telnet, target, "never")
    codec = None if mode == "never" else TelnetCodec(PIPE_POLICY, mode=mode, ayt=b"")
    return connect(target, wait, insecure=insecure, telnet=codec)


def run_pipe(target: Target, files: Sequence[int], **options: Unpack[PipeOptions]) -> None:
    """Send what the file descriptors `files` give; print what comes back."""
    connecting = connect_pipe(
        target, wait=options["wait"], insecure=options["insecure"], telnet=options["telnet"]
    )

    async def pipe_files() -> None:
        from echoproto.client.pipe import pipe

        async with connecting as connection:
            await pipe(connection, files, STDOUT, crlf=options["crlf"], idle=options["idle"])

    run(pipe_files())
