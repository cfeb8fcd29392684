"""Connects to a target: as a socket, or as one of asyncio's transports.

`connection.connect` uses the socket. `bench` uses the transport, because its load consists of
asyncio protocols.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import aiohappyeyeballs

from echoproto.client.network_errors import connecting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from echoproto.client.target import Target

    Address = tuple[int, int, int, str, tuple[Any, ...]]  # as socket.getaddrinfo returns it

_NEXT_ADDRESS_AFTER: Final = 0.25  # seconds; RFC 8305, section 8


async def open_socket(target: Target) -> socket.socket:
    """Connect to `target` and return the socket.

    Raises OSError or UnicodeError, which `network_errors.connecting` turns into a NetworkError.
    """
    return await (_connect_unix(target) if target.path else _connect_tcp(target))


async def open_transport(
    target: Target,
    protocol: asyncio.Protocol,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    context: ssl.SSLContext | None = None,
    address: Target | None = None,
) -> None:
    """Connect `protocol` to `target`, on a transport of the event loop.

    With a `context`, the connection uses TLS. `timeout` limits the time for connecting, in seconds.
    `address` is the target with its host already looked up; it replaces `target` for connecting,
    but not for the check of the certificate. Raises NetworkError.
    """
    loop = asyncio.get_running_loop()
    async with connecting(target, timeout):
        sock = await open_socket(address or target)
        if target.path:
            await loop.create_unix_connection(lambda: protocol, sock=sock)
        else:
            name = target.server_name if context else None
            await loop.create_connection(
                lambda: protocol, sock=sock, ssl=context, server_hostname=name
            )


async def _connect_tcp(target: Target) -> socket.socket:
    sock = await aiohappyeyeballs.start_connection(
        await _look_up(target),
        happy_eyeballs_delay=_NEXT_ADDRESS_AFTER,
        socket_factory=_Socket,
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Telnet's Synch sends a part of it as urgent data (RFC 854): receive that among the other data.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    return sock


class _Socket(socket.socket):
    """A socket for one address, to which it connects.

    uvloop looks every address up once more before it connects, and drops the scope id of IPv6
    (uvloop issue 539): `fe80::1%eth0` would become `fe80::1`.
    """

    def __init__(self, info: Address) -> None:
        super().__init__(*info[:3])
        self._address = info[4]

    def connect(self, _: object) -> None:
        """See socket.socket."""
        super().connect(self._address)


async def _look_up(target: Target) -> Sequence[Address]:
    """Return the addresses of the host of `target`. Raises socket.gaierror or UnicodeError.

    The system's resolver cannot be interrupted, and may take half a minute to give up. Therefore it
    runs in a daemon thread, for which nothing waits: neither a cancelled lookup, nor the end of the
    event loop (which waits for the threads of its executor), nor the end of the program.
    """

    def addresses(flags: int = 0) -> Sequence[Address]:
        host, port = target.ascii_host, target.port
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)

    def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if not found.done():  # it was cancelled
            set_outcome(outcome)

    def run() -> None:
        set_outcome: Callable[[Any], None] = found.set_result
        outcome: object
        try:
            outcome = addresses()
        except Exception as error:  # noqa: BLE001 - it is raised by whoever waits
            set_outcome, outcome = found.set_exception, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, set_outcome, outcome)

    with suppress(socket.gaierror):
        return addresses(socket.AI_NUMERICHOST)  # takes no time
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[Address]] = loop.create_future()
    Thread(target=run, name="lookup", daemon=True).start()
    return await found


async def _connect_unix(target: Target) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target.unix_address)
    except BaseException:
        sock.close()
        raise
    return sock
