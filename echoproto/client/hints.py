"""Says what else is there when a target on this machine does not take a connection.

A hint is given only if it is true at that moment: this module looks before it says so.
`network_errors` adds the hint to its message.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from echoproto.client.target import Target

_LOOPBACK: Final = ("127.0.0.1", "::1")

_PROBE_LIMIT: Final = 0.5
"""Seconds for a look at another address of this machine."""

_ECHO_PORT: Final = 2020  # the default of `twistd echo`


async def refusal_hint(target: Target, error: Exception) -> str:
    """Return what to add to the message that connecting to `target` has failed with `error`.

    The result is empty if there is nothing helpful to say.
    """
    if target.path:
        return _unix_hint(target, error)
    host = target.host.lower()
    if not isinstance(error, ConnectionRefusedError) or host not in (*_LOOPBACK, "localhost"):
        return ""
    for other in _LOOPBACK:
        if other != host and await _answers(other, target.port):
            return f", but {Target(other, target.port).name} answers"
    if target.port == _ECHO_PORT:
        return "; twistd echo listens there by default: is it running?"
    return ""


async def _answers(host: str, port: int) -> bool:
    """Whether something accepts connections at an address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with suppress(OSError):  # also TimeoutError
        with socket.socket(family) as sock:
            sock.setblocking(False)
            async with asyncio.timeout(_PROBE_LIMIT):
                await asyncio.get_running_loop().sock_connect(sock, (host, port))
        return True
    return False


def _unix_hint(target: Target, error: Exception) -> str:
    """Explain the system's words for a Unix socket, which are those for a port."""
    number = getattr(error, "errno", None)
    if target.path.startswith("@"):
        return ""
    if number == errno.EPROTOTYPE:
        return ": it is a socket of another type than SOCK_STREAM"
    if number != errno.ECONNREFUSED:
        return ""
    with suppress(OSError):
        if not stat.S_ISSOCK(Path(target.path).stat().st_mode):
            return ": it is not a socket"
        return ": no process listens on this socket any more"
    return ""
