"""The bytes of a connection as they are on the wire: a socket that counts, and names its errors.

Once `opening` has connected the socket, only this module calls it: everything that is sent and
received, and every end, passes through a `Stream`. It knows three things that asyncio's socket
calls do not tell: how much of a write the system has accepted so far, how much of that the peer's
system has acknowledged, and, after `close`, that this is why nothing works any more.

`connection` builds its layers on a `Stream`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from echoproto.client.descriptors import ready, unread
from echoproto.client.network_errors import reason
from echoproto.client.tls import is_tls_alert, tls_hint
from echoproto.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.client.target import Target

MAX_RECEIVE: Final = 64 * 1024
"""Maximum number of bytes to receive at a time."""

_MIN_POLL_INTERVAL: Final = 0.001  # seconds; `acknowledged` doubles it at each poll
_MAX_POLL_INTERVAL: Final = 0.05


class Stream:
    """The socket `sock`, which is connected to `target`.

    `lost` is the system's error because of which a call failed, or None. Every failure raises
    NetworkError.
    """

    def __init__(self, target: Target, sock: socket.socket) -> None:
        self.socket = sock
        self.lost: OSError | None = None
        self.bytes_sent = self.bytes_received = 0
        self._target, self._name = target, target.name
        self._first = b""  # the first bytes that arrived, up to 8

    @property
    def unacknowledged(self) -> int:
        """Number of bytes that the system has accepted and the peer has not acknowledged yet."""
        return 0 if self.socket.fileno() < 0 else unread(self.socket.fileno())

    def check_open(self) -> None:
        """Raise NetworkError if `close` was called."""
        if self.socket.fileno() < 0:
            raise NetworkError(f"{self._name}: the connection is closed")

    async def receive(self) -> bytes:
        """Wait for bytes, and return them; `b""` at the end of the stream."""
        await asyncio.sleep(0)  # lets other tasks run, even if the peer sends faster than we handle
        self.check_open()
        with self._errors():
            data = await asyncio.get_running_loop().sock_recv(self.socket, MAX_RECEIVE)
        if not data and self.lost:  # the system reports an error once, and another call has it
            raise self._error(self.lost)
        if not data and not self._target.is_tls and is_tls_alert(self._first):
            raise NetworkError(f"{self._name}: closed by the server{self.hint}")
        self._first = self._first or data[:8]
        self.bytes_received += len(data)
        return data

    async def send(self, data: bytes) -> bool:
        """Wait until the system has accepted `data`. Return False if the peer has closed."""
        await asyncio.sleep(0)
        view = memoryview(data)
        while True:
            self.check_open()
            with self._errors():
                try:
                    view = view[self.send_some(view) :]
                except BrokenPipeError:
                    return False
            if not view:
                return True
            await ready(self.socket.fileno(), to_write=True)

    def send_some(self, data: bytes | memoryview) -> int:
        """Send as much of `data` as the system accepts at once. Return how many bytes that is.

        Raises OSError.
        """
        try:
            count = self.socket.send(data)
        except BlockingIOError:
            return 0
        self.bytes_sent += count
        return count

    def send_eof(self) -> None:
        """Half-close the socket. If it is lost or closed, do nothing."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    async def acknowledged(self, end: int) -> bool:
        """Wait until the peer's system has acknowledged the first `end` bytes that were sent.

        Returns False if the peer has closed the connection before that.
        """
        interval = _MIN_POLL_INTERVAL
        while not self.lost:
            self.check_open()
            left = self.unacknowledged  # read before the error, because a reset may empty it
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error and error != errno.EPIPE:
                self.lost = OSError(error, os.strerror(error))
            # A peer that has closed resets the connection at what follows `end`: that is no loss.
            rest = self.bytes_sent - end
            if left <= rest and (rest or not error):
                return True
            if error == errno.EPIPE:
                return False
            await asyncio.sleep(interval)
            interval = min(2 * interval, _MAX_POLL_INTERVAL)
        raise self._error(self.lost)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.lost = error
            raise self._error(error) from None

    def _error(self, error: OSError) -> NetworkError:
        """Return the error to raise, with a hint that takes in what has arrived by now."""
        hint = self.hint if isinstance(error, ConnectionError) else ""
        return NetworkError(f"{self._name}: {reason(error)}{hint}")

    @property
    def hint(self) -> str:
        """What to add to the message that the connection has ended."""
        return tls_hint(self._target, self._first)
