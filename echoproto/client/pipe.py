"""Runs a connection as a pipe: sends the input to the peer, and writes what arrives to the output.

Both directions are byte-exact, and at most a few chunks are in memory. The pipe reads its input
only as fast as the peer accepts data, and receives only as fast as the output accepts data.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import TYPE_CHECKING, Final

from echoproto.errors import NetworkError
from echoproto.wire.framing import to_crlf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from echoproto.client.connection import ClientConnection

MAX_READ: Final = 256 * 1024
"""Maximum number of bytes to read from the input at a time."""


async def pipe(
    connection: ClientConnection,
    inputs: Iterable[int],
    output: int,
    *,
    crlf: bool = False,
    idle: float | None = None,
) -> None:
    """Send everything from the file descriptors `inputs`, one after the other, then half-close.

    Returns when the peer has closed and everything that it sent has been written to the file
    descriptor `output`. With `crlf`, each LF is sent as CR LF.

    Raises NetworkError if the connection is lost, or if no byte has been sent or received for
    `idle` seconds. Raises OSError if an input or the output fails; its `filename` is the
    descriptor.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(idle) as idle_timeout:

            def moved() -> None:
                if idle is not None and not idle_timeout.expired():
                    idle_timeout.reschedule(loop.time() + idle)

            async def send() -> None:
                after_cr = False
                for fd in inputs:
                    async for data in _chunks(fd):
                        moved()
                        wire = to_crlf(data, after_cr=after_cr) if crlf else data
                        after_cr = data.endswith(b"\r")
                        if not await connection.send(wire):
                            return
                await connection.send_eof()

            async def receive() -> None:
                while data := await connection.receive():
                    moved()
                    await _write(output, data)

            await _until_received(asyncio.create_task(send()), asyncio.create_task(receive()))
    except TimeoutError:
        raise NetworkError(f"{connection.target.name}: idle for {idle:g} seconds") from None


async def _until_received(sending: asyncio.Task[None], receiving: asyncio.Task[None]) -> None:
    """Wait for `receiving`. If `sending` failed, raise its error after everything is received."""
    try:
        await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and not isinstance(sending.exception(), NetworkError):
            sending.result()  # an input that fails ends the pipe at once
        await receiving
        if sending.done():
            sending.result()
    finally:
        sending.cancel()
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)


async def _chunks(fd: int) -> AsyncIterator[bytes]:
    while True:
        await _ready(fd)
        try:
            data = os.read(fd, MAX_READ)
        except OSError as error:
            error.filename = fd
            raise
        if not data:
            return
        yield data


async def _write(fd: int, data: bytes) -> None:
    """Write all of `data`. A slow output slows down the connection, not the event loop."""
    view = memoryview(data)
    while view:
        if not select.select([], [fd], [], 0)[1]:
            await _ready(fd, to_write=True)
        # A descriptor that is ready accepts PIPE_BUF bytes without blocking. Non-blocking mode is
        # no alternative: it would apply to every process that shares the open file.
        try:
            view = view[os.write(fd, view[: select.PIPE_BUF]) :]
        except OSError as error:
            error.filename = fd
            raise


async def _ready(fd: int, *, to_write: bool = False) -> None:
    """Wait until `fd` can be read (or with `to_write`, written) without blocking."""
    loop = asyncio.get_running_loop()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if to_write else (loop.add_reader, loop.remove_reader)
    )
    ready = asyncio.Event()
    try:
        add(fd, ready.set)
    except PermissionError:
        return  # epoll refuses files and /dev/null, which never block for long
    try:
        await ready.wait()
    finally:
        remove(fd)
