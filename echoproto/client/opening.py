"""Connects to a target: as a socket, or as one of asyncio's transports.

`connection.connect` uses the socket. `bench` uses the transport, because its load consists of
asyncio protocols.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

import aiohappyeyeballs

from echoproto.client.network_errors import connecting

if TYPE_CHECKING:
    import ssl

    from echoproto.client.target import Target

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
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(target.ascii_host, target.port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Telnet's Synch sends a part of it as urgent data (RFC 854): receive that among the other data.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    return sock


async def _connect_unix(target: Target) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target.unix_address)
    except BaseException:
        sock.close()
        raise
    return sock
