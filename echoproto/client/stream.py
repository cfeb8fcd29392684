"""The bytes of a connection as they are on the wire: a socket that counts, and names its errors.

Once `opening` has connected the socket, only this module calls it: everything that is sent and
received, and every end, passes through a `Stream`. It knows three things that asyncio's socket
calls do not tell: how much of a write the system has accepted so far, how much of that the peer's
system has acknowledged, and, after `close`, that this is why nothing works any more. If there is a
tap, it learns what each call has moved.

`connection` builds its layers on a `Stream`.

It waits until the socket is ready, and only then calls the system. Therefore a task that is
cancelled while it waits has received nothing yet, and loses nothing. asyncio's `sock_recv` would
lose what had arrived just before.
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
from echoproto.wire.tap import WireKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.client.target import Target
    from echoproto.wire.tap import Tap

MAX_RECEIVE: Final = 64 * 1024
"""Maximum number of bytes to receive at a time."""

_MIN_POLL_INTERVAL: Final = 0.001  # seconds; `acknowledged` doubles it at each poll
_MAX_POLL_INTERVAL: Final = 0.05


class Stream:
    """The socket `sock`, which is connected to `target`.

    `lost` is the system's error because of which a call failed, or None. Every failure raises
    NetworkError. `tap` is told how the connection ends and, unless they are encrypted, which bytes
    each system call has moved.
    """

    def __init__(self, target: Target, sock: socket.socket, tap: Tap | None = None) -> None:
        self.socket = sock
        self._tap = tap
        self._data_tap = None if target.is_tls else tap
        self.lost: OSError | None = None
        self.bytes_sent = self.bytes_received = 0
        self._target, self._name = target, target.name
        self._first = b""  # the first bytes that arrived, up to 8
        self._is_closed = False
        self._is_refused = False  # the peer has closed, and the system has reported that
        self._waiting = 0  # number of tasks that wait for the socket

    @property
    def unacknowledged(self) -> int:
        """Number of bytes that the system has accepted and the peer has not acknowledged yet."""
        return 0 if self.socket.fileno() < 0 else unread(self.socket.fileno())

    def check_open(self) -> None:
        """Raise NetworkError if `close` was called."""
        if self._is_closed:
            raise NetworkError(f"{self._name}: the connection is closed")

    def close(self) -> None:
        """Close the socket. The tasks that wait in `receive` and `send` raise NetworkError."""
        self._is_closed = True
        if self._tap:
            self._tap.report(WireKind.CLOSED)
        if not self._waiting:
            self.socket.close()
            return
        # The event loop says nothing about a socket that is closed, and its number may be reused.
        # Shutting it down wakes the tasks that wait, the last of which closes it.
        with suppress(OSError):  # it is not connected any more, which has woken them
            self.socket.shutdown(socket.SHUT_RDWR)

    async def _ready(self, *, to_write: bool = False) -> None:
        """Wait until the socket is ready. Raises NetworkError if `close` is called meanwhile."""
        self._waiting += 1
        try:
            await ready(self.socket.fileno(), to_write=to_write)
        finally:
            self._waiting -= 1
            if self._is_closed and not self._waiting:
                self.socket.close()
        self.check_open()

    async def receive(self) -> bytes:
        """Wait for bytes, and return them; `b""` at the end of the stream."""
        await asyncio.sleep(0)  # lets other tasks run, even if the peer sends faster than we handle
        self.check_open()
        while (data := self._receive_now()) is None:
            await self._ready()
        if not data and self.lost:  # the system reports an error once, and another call has it
            raise self._error(self.lost)
        if not data and not self._target.is_tls and is_tls_alert(self._first):
            raise NetworkError(f"{self._name}: closed by the server{self.hint}")
        self._first = self._first or data[:8]
        self.bytes_received += len(data)
        return data

    def _receive_now(self) -> bytes | None:
        """Return what has arrived, and None if nothing has."""
        with self._errors():
            try:
                data = self.socket.recv(MAX_RECEIVE)
            except BlockingIOError:
                return None
        if self._data_tap:
            self._data_tap.received(data)
            if not data and not self.lost:
                self._data_tap.report(WireKind.RECEIVED_EOF)
        return data

    async def send(self, data: bytes) -> bool:
        """Wait until the system has accepted `data`. Return False if the peer has closed."""
        await asyncio.sleep(0)
        self.check_open()
        view = memoryview(data)
        while True:
            with self._errors():
                try:
                    view = view[self.send_some(view) :]
                except BrokenPipeError:
                    return False
            if not view:
                return True
            await self._ready(to_write=True)

    def send_some(self, data: bytes | memoryview) -> int:
        """Send as much of `data` as the system accepts at once. Return how many bytes that is.

        Raises OSError. The system reports an error once: it is noted here for `acknowledged`, also
        if the caller ignores it.
        """
        try:
            count = self.socket.send(data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self._is_refused = True
            raise
        except OSError as error:
            self.lost = error
            raise
        self.bytes_sent += count
        if self._data_tap:
            self._data_tap.sent(bytes(data[:count]))
        return count

    def send_eof(self) -> None:
        """Half-close the socket. If it is lost or closed, do nothing."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            if self._data_tap:
                self._data_tap.report(WireKind.SENT_EOF)

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
                self._lose(OSError(error, os.strerror(error)))
            # A peer that has closed resets the connection at what follows `end`: that is no loss.
            rest = self.bytes_sent - end
            if left <= rest and (rest or not error):
                return True
            if error == errno.EPIPE or self._is_refused:
                return False
            await asyncio.sleep(interval)
            interval = min(2 * interval, _MAX_POLL_INTERVAL)
        raise self._error(self.lost)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lose(error)
            raise self._error(error) from None

    def _lose(self, error: OSError) -> None:
        self.lost = error
        if self._tap:
            self._tap.report(WireKind.LOST, text=reason(error))

    def _error(self, error: OSError) -> NetworkError:
        """Return the error to raise, with a hint that takes in what has arrived by now."""
        hint = self.hint if isinstance(error, ConnectionError) else ""
        return NetworkError(f"{self._name}: {reason(error)}{hint}")

    @property
    def hint(self) -> str:
        """What to add to the message that the connection has ended."""
        return tls_hint(self._target, self._first)
