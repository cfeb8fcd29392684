"""Closes a socket so that its peer gets everything that was written, also if the peer still sends.

Closing a socket that has unread data resets the connection, and so does data that arrives after
that. The system then drops what it has not sent yet, and the peer may drop what it has not read. We
therefore send the end of our data first, and read and drop what arrives until the peer has
acknowledged everything. The protocol knows nothing of this: for it the connection is lost.

Nothing in this package is below this module. `transport` uses it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

TIMEOUT: Final = 5.0
"""Seconds without progress after which the socket is closed as it is."""

MAX_TIME: Final = 60.0
"""Seconds after which it is closed in any case: a peer may acknowledge a byte now and then."""

INTERVAL: Final = 0.05
"""Seconds between two questions to the system whether everything has been acknowledged."""

_MAX_READS: Final = 64  # of 64 KiB: the turn of one connection


def shut_down(sock: socket.socket, loop: AbstractEventLoop) -> None:
    """End our side of `sock`, which the caller closes next. Take over a duplicate if necessary.

    Raises OSError if the connection is lost already.
    """
    sock.shutdown(socket.SHUT_WR)
    if not _discard(sock) and unacknowledged(sock.fileno()):
        _Lingering(_Socket(fileno=os.dup(sock.fileno())), loop)


def _discard(sock: socket.socket) -> bool:
    """Read and drop what has arrived. Return whether the peer has ended its side."""
    try:
        for _ in range(_MAX_READS):
            if not sock.recv(1 << 16):
                return True
    except BlockingIOError:
        pass
    return False


def unacknowledged(descriptor: int) -> int:
    """Return the number of bytes that the peer has not acknowledged: SIOCOUTQ (tcp(7)).

    Raises OSError if `descriptor` is not a socket, or the system does not know.
    """
    answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])


class _Socket(socket.socket):
    """A socket that may still be open when the loop has ended."""

    __del__ = socket.socket.close


class _Lingering:
    """Reads and drops, until everything has been acknowledged; then closes the socket."""

    def __init__(self, sock: socket.socket, loop: AbstractEventLoop) -> None:
        self._sock = sock
        self._loop = loop
        self._left = unacknowledged(sock.fileno())
        self._began = self._moved = loop.time()
        loop.add_reader(sock, self._read)
        self._timer = loop.call_later(INTERVAL, self._check)

    def _read(self) -> None:
        try:
            has_ended = _discard(self._sock)
        except OSError:
            has_ended = True
        if has_ended:
            self._close()

    def _check(self) -> None:
        left, now = unacknowledged(self._sock.fileno()), self._loop.time()
        if left != self._left:
            self._left, self._moved = left, now
        if not left or now - self._moved > TIMEOUT or now - self._began > MAX_TIME:
            self._close()
        else:
            self._timer = self._loop.call_later(INTERVAL, self._check)

    def _close(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
