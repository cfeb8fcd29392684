"""One connection to a line server, as an async object: `connect`, `receive`, `send`, `send_eof`.

It is a socket with asyncio's socket calls, not a transport: nothing is held in memory, each
direction goes as fast as it is asked to, and what has arrived can be received also when sending
has failed. What the network does wrong is a NetworkError, with one line for a person.

TLS is in `tls`; telnet, for both, in `telnet`.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import aiohappyeyeballs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from echoproto.client.target import Target

CHUNK: Final = 64 * 1024
"""The most bytes that are received at a time."""

_NEXT_ADDRESS_AFTER: Final = 0.25  # seconds; RFC 8305, section 8


class NetworkError(Exception):
    """The network, or the peer, did not do what was asked; the message says what in one line."""


class Connection:
    """An open connection. Made by `connect`."""

    def __init__(self, target: Target, sock: socket.socket) -> None:
        self.target = target
        self._socket = sock
        self._lost: NetworkError | None = None

    async def receive(self) -> bytes:
        """What has arrived, at least one byte; no byte once the peer has sent its last.

        Raises NetworkError.
        """
        await asyncio.sleep(0)  # a peer that is faster than we are must not keep the loop to itself
        with self._network_errors():
            data = await asyncio.get_running_loop().sock_recv(self._socket, CHUNK)
        if not data and self._lost:
            raise self._lost  # the system tells of it once, and sending was told
        return data

    async def send(self, data: bytes) -> bool:
        """Send `data`; returns when the system has taken it all.

        False if the peer has closed, and takes no more. Raises NetworkError.
        """
        await asyncio.sleep(0)
        with self._network_errors():
            try:
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
            except BrokenPipeError:
                return False
        return True

    async def send_eof(self) -> None:
        """Half-close: tell the peer that it has the last byte, and go on receiving."""
        with suppress(OSError):  # where the connection is lost already, `receive` says so
            self._socket.shutdown(socket.SHUT_WR)

    @contextmanager
    def _network_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lost = NetworkError(f"{self.target.name}: {_reason(error)}")
            raise self._lost from None


@asynccontextmanager
async def connect(
    target: Target,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    insecure: bool = False,
) -> AsyncIterator[Connection]:
    """Connect to `target`; the connection is closed at the end of the block.

    `timeout` is in seconds; None waits for as long as the system does. With `insecure`, the peer
    of a TLS connection may be anyone. Raises NetworkError.
    """
    with ExitStack() as stack:
        async with connecting(target, timeout):
            sock = await open_socket(target)
            stack.enter_context(sock)
            connection = Connection(target, sock)
            if target.is_tls:
                from echoproto.client.tls import TLSConnection

                connection = TLSConnection(target, sock, insecure=insecure)
                await connection.handshake()
        yield connection


@asynccontextmanager
async def connecting(target: Target, timeout: float | None) -> AsyncIterator[None]:  # noqa: ASYNC109
    """What goes wrong in the block, or takes longer than `timeout` seconds, is a NetworkError."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except socket.gaierror as error:
        raise NetworkError(f"cannot find host {target.host}: {error.strerror}") from None
    except (OSError, UnicodeError) as error:
        # The system's own timeout has an errno, ours has not.
        ours = isinstance(error, TimeoutError) and not error.errno
        why = f"no answer in {timeout:g} seconds" if ours else _reason(error)
        raise NetworkError(f"cannot connect to {target.name}: {why}") from None


async def open_socket(target: Target) -> socket.socket:
    """A connected socket. Raises OSError, UnicodeError."""
    return await (_connect_unix(target) if target.path else _connect_tcp(target))


async def _connect_tcp(target: Target) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # half of telnet's Synch is urgent
    return sock


async def _connect_unix(target: Target) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target.path)
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(error: Exception) -> str:
    """What the system calls the error, without the words that asyncio puts around it."""
    number = getattr(error, "errno", None)
    if not number and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # several addresses were tried, each with its own error: the first
    return os.strerror(number) if number else str(error)
