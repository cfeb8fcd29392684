"""Opening: from a target to a connected socket or to a transport of asyncio's.

`connection.connect` is built on this, and `bench`, whose load wants asyncio's own protocols.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Final

import aiohappyeyeballs

from echoproto.client.network_errors import connecting

if TYPE_CHECKING:
    from echoproto.client.target import Target

_NEXT_ADDRESS_AFTER: Final = 0.25  # seconds; RFC 8305, section 8


async def open_socket(target: Target) -> socket.socket:
    """A connected socket. Raises OSError, UnicodeError: see `errors.connecting`."""
    return await (_connect_unix(target) if target.path else _connect_tcp(target))


async def open_transport(
    target: Target,
    protocol: asyncio.Protocol,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    context: ssl.SSLContext | None = None,
    address: Target | None = None,
) -> None:
    """Connect `protocol` to `target`, on the loop's own transport; through TLS with a `context`.

    `address` is where the target's host is known to be. `timeout` is in seconds. Raises
    NetworkError.
    """
    loop = asyncio.get_running_loop()
    async with connecting(target, timeout):
        sock = await open_socket(address or target)
        if target.path:
            await loop.create_unix_connection(lambda: protocol, sock=sock)
        else:
            name = target.host if context else None
            await loop.create_connection(
                lambda: protocol, sock=sock, ssl=context, server_hostname=name
            )


def tls_context(target: Target, *, insecure: bool) -> ssl.SSLContext | None:
    """What a client trusts: what the system does; or with `insecure`, anyone. None without TLS.

    `SSL_CERT_FILE` names certificates that are trusted too.
    """
    if not target.is_tls:
        return None
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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
