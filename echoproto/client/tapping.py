"""Makes the tap of a connection, which needs the clock and the addresses of the socket.

`connection` uses it. `wire.tap`, below, says what a tap reports.
"""

from __future__ import annotations

import asyncio
import os
import socket
from time import time
from typing import TYPE_CHECKING

from echoproto.wire.tap import Address, OnWire, Tap, WireKind

if TYPE_CHECKING:
    from collections.abc import Callable


def open_tap(on_wire: OnWire, sock: socket.socket) -> Tap:
    """Return a tap that reports to `on_wire`, and report that `sock` is connected.

    If `on_wire` raises an exception, the event loop's exception handler is called, as for any
    other callback.
    """
    loop = asyncio.get_running_loop()

    def failed(error: Exception) -> None:
        loop.call_exception_handler(
            {"message": "on_wire failed; it is not called any more", "exception": error}
        )

    tap = Tap(on_wire, time, failed)
    local, remote = _address(sock, sock.getsockname), _address(sock, sock.getpeername)
    tap.report(WireKind.CONNECTED, local=local, remote=remote)
    return tap


def _address(sock: socket.socket, ask: Callable[[], object]) -> Address:
    """Return the address that `ask` gets from the system, and "" if it has none."""
    try:
        found = ask()
    except OSError:  # it is not connected any more
        return ""
    if isinstance(found, tuple):
        host, flags = found[0], socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        if sock.family == socket.AF_INET6:
            host, _ = socket.getnameinfo(found, flags)  # with the zone
        return host, found[1]
    name = os.fsdecode(found) if isinstance(found, bytes) else str(found)
    return f"@{name[1:]}" if name.startswith("\0") else name
