"""The bytes of a connection as they are on the wire: a socket that counts, and names its errors.

`connection` builds its layers on a `Stream`. It knows three things that asyncio's socket calls do
not tell: how much of a write the system has accepted so far, how much of that the peer's system
has acknowledged, and, after `close`, that this is why nothing works any more.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import contextmanager
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

_LOOK_AFTER: Final = (
    0.001,
    0.05,
)  # seconds: how soon `acknowledged` looks again, first and at most


class Stream:
    """The socket `sock`, which is connected to `target`.

    `lost` is the error of the last call that failed, or None. Every failure raises NetworkError.
    """

    def __init__(self, target: Target, sock: socket.socket) -> None:
        self.socket = sock
        self.lost: NetworkError | None = None
        self.bytes_sent = self.bytes_received = 0
        self._target, self._name = target, target.name
        self._first = b""  # the first bytes that arrived, up to 8

    @property
    def unsent(self) -> int:
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
        if not data and self.lost:
            raise self.lost  # the system reports an error once, and another call has received it
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
                    count = self.socket.send(view)
                except BlockingIOError:
                    count = 0
                except BrokenPipeError:
                    return False
            self.bytes_sent += count
            view = view[count:]
            if not view:
                return True
            await ready(self.socket.fileno(), to_write=True)

    async def acknowledged(self, end: int) -> bool:
        """Wait until the peer's system has acknowledged the first `end` bytes that were sent.

        Returns False if the peer has closed the connection before that.
        """
        pause, longest = _LOOK_AFTER
        while not self.lost:
            self.check_open()
            unsent = self.unsent  # looked up before the error, because a reset may empty it
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error and error != errno.EPIPE:
                self.lost = NetworkError(f"{self._name}: {os.strerror(error)}")
            # A peer that has closed resets the connection at what follows `end`: that is no loss.
            rest = self.bytes_sent - end
            if unsent <= rest and (rest or not error):
                return True
            if error == errno.EPIPE:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
        raise self.lost

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = self.hint if isinstance(error, ConnectionError) else ""
            self.lost = NetworkError(f"{self._name}: {reason(error)}{hint}")
            raise self.lost from None

    @property
    def hint(self) -> str:
        """What to add to the message that the connection has ended."""
        return tls_hint(self._target, self._first)
