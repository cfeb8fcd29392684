"""Connects to a target for the commands other than the shell, and runs the connection as a pipe.

`client.pipe` moves the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from echoproto.cli.options import telnet_mode
from echoproto.cli.run import STDOUT, run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractAsyncContextManager
    from typing import Unpack

    from echoproto.client.connection import ClientConnection
    from echoproto.client.target import Target
    from echoproto.wire.telnet.scanner import TelnetMode


class PipeOptions(TypedDict):
    """The options of a pipe, as click parses them."""

    wait: float | None
    insecure: bool
    telnet: TelnetMode | None
    crlf: bool
    idle: float | None


def connect_pipe(
    target: Target, *, wait: float | None, insecure: bool, telnet: TelnetMode | None = None
) -> AbstractAsyncContextManager[ClientConnection]:
    """Connect to `target`, as an asynchronous context manager.

    On telnet, agree only to options that leave the bytes unchanged.
    """
    from echoproto.client.connection import connect
    from echoproto.wire.telnet.codec import TelnetCodec
    from echoproto.wire.telnet.options import PIPE_POLICY

    mode = telnet_mode(telnet, target, "never")
    codec = None if mode == "never" else TelnetCodec(PIPE_POLICY, mode=mode, ayt=b"")
    return connect(target, wait, insecure=insecure, telnet=codec)


def run_pipe(target: Target, files: Iterable[int], **options: Unpack[PipeOptions]) -> None:
    """Send the data from the file descriptors `files`, and print what comes back."""
    connecting = connect_pipe(
        target, wait=options["wait"], insecure=options["insecure"], telnet=options["telnet"]
    )

    async def pipe_files() -> None:
        from echoproto.client.pipe import pipe

        async with connecting as connection:
            await pipe(connection, files, STDOUT, crlf=options["crlf"], idle=options["idle"])

    run(pipe_files())
