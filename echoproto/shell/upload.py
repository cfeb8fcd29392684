"""A file on its way to the peer, read a part at a time.

`outbox` sends the parts, in the place of the file among the lines that were typed. `session` opens
the file.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK: Final = 64 * 1024
"""Number of bytes that are read and sent at a time."""


class Upload:
    """The file `path`, to be sent. `on_end` is called with an error, or None, when that has ended.

    `name` is the path as the user sees it. Raises OSError if it is not a regular file, or cannot be
    read.
    """

    def __init__(
        self, path: str, name: str, on_end: Callable[[Upload, OSError | None], object]
    ) -> None:
        # A FIFO or a device could keep the shell waiting, which O_NONBLOCK prevents.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            raise OSError("it is not a regular file")
        self.name = name
        self.size, self.sent = status.st_size, 0  # in bytes
        self._on_end = on_end
        self._is_open = True

    @property
    def unsent(self) -> int:
        """How many bytes are still to be sent."""
        return max(0, self.size - self.sent)

    def chunks(self) -> Iterator[bytes]:
        """Yield the parts of the file until its end, or until `stop`, then call `on_end`."""
        error = None
        while self._is_open:
            try:
                chunk = os.read(self._fd, CHUNK)
            except OSError as failure:
                chunk, error = b"", failure
            if not chunk:
                self.stop()
                self._on_end(self, error)
                return
            self.sent += len(chunk)
            yield chunk

    def take_back(self, chunk: bytes) -> None:
        """Count `chunk`, the last part, as not sent: the connection did not take it."""
        self.sent -= len(chunk)

    def stop(self) -> None:
        """Close the file: no more of it will be read."""
        if self._is_open:
            self._is_open = False
            os.close(self._fd)
