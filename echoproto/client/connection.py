"""One connection to a line server, as an async object: `connect`, `receive`, `send`, `send_eof`.

Both directions are bounded: the peer is read only as fast as `receive` is called, and `send`
returns only once there is room for more. What the network does wrong is a NetworkError, with one
line for a person; what had arrived before it is received first.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from echoproto.client.target import Target

RECEIVE_BUFFER: Final = 256 * 1024
"""Bytes that may wait for `receive` before the peer is read from no more."""

_HAPPY_EYEBALLS_DELAY: Final = 0.25  # seconds; RFC 8305, section 8


class NetworkError(Exception):
    """The network, or the peer, did not do what was asked; the message says what in one line."""


class Connection(asyncio.Protocol):
    """An open connection. Made by `connect`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._arrived = asyncio.Event()  # there is something to receive: bytes, or the end
        self._eof = False
        self._error: Exception | None = None
        self._writable = asyncio.Event()
        self._closed = asyncio.Event()

    async def receive(self) -> bytes:
        """What has arrived, at least one byte; no byte once the peer has sent its last.

        Raises NetworkError.
        """
        await self._arrived.wait()
        data = bytes(self._received)
        self._received.clear()
        if not (self._eof or self._error):
            self._arrived.clear()
            self._transport.resume_reading()
        if not data and self._error:
            raise self._network_error(self._error)
        return data

    async def send(self, data: bytes) -> None:
        """Send `data`; returns once there is room for more. Raises NetworkError."""
        if not self._closed.is_set():
            self._transport.write(data)
        await self._writable.wait()
        if self._closed.is_set():
            raise self._network_error(self._error or ConnectionResetError(errno.ECONNRESET, ""))

    def send_eof(self) -> None:
        """Half-close: tell the peer that it has the last byte, and go on receiving."""
        # Where the connection is lost already, `receive` says so.
        if not self._transport.is_closing():
            with suppress(OSError):
                self._transport.write_eof()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._arrived.set()
        if len(self._received) >= RECEIVE_BUFFER:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._eof = True
        self._arrived.set()
        return True  # our side stays open

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._eof:  # what fails after the peer's last byte is no error of receiving
            self._error = exc
        self._eof = True
        self._arrived.set()
        self._writable.set()
        self._closed.set()

    async def close(self) -> None:
        """Close at once. What is not sent yet is lost."""
        self._transport.abort()
        await self._closed.wait()

    def _network_error(self, error: Exception) -> NetworkError:
        return NetworkError(f"{self.target.name}: {_reason(error)}")


@asynccontextmanager
async def connect(target: Target, timeout: float | None = None) -> AsyncIterator[Connection]:  # noqa: ASYNC109
    """Connect to `target`; the connection is closed at the end of the block.

    `timeout` is in seconds; None waits for as long as the system does. Raises NetworkError.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(target)
    try:
        async with asyncio.timeout(timeout):
            if target.path:
                await loop.create_unix_connection(lambda: connection, target.path)
            else:
                await loop.create_connection(
                    lambda: connection,
                    target.host,
                    target.port,
                    happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY,
                )
    except socket.gaierror as error:
        raise NetworkError(f"cannot find host {target.host}: {error.strerror}") from None
    except (OSError, UnicodeError) as error:
        # The system's own timeout has an errno, ours has not.
        ours = isinstance(error, TimeoutError) and not error.errno
        why = f"no answer in {timeout:g} seconds" if ours else _reason(error)
        raise NetworkError(f"cannot connect to {target.name}: {why}") from None
    try:
        yield connection
    finally:
        await connection.close()


def _reason(error: Exception) -> str:
    """What the system calls the error, without the words that asyncio puts around it."""
    number = getattr(error, "errno", None)
    if not number and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # several addresses were tried, each with its own error: the first
    return os.strerror(number) if number else str(error)
