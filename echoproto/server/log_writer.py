"""`LogWriter`: writes a log from a thread of its own, so that a log that nobody reads stops nobody.

To write to a pipe blocks while its reader does not read, and so does a terminal after Ctrl-S, or a
disk that hangs. There is no way to know this before the call, and O_NONBLOCK cannot be set: the
shell, and every other process that has the same terminal or pipe, would get it too. A thread that
blocks disturbs nobody. The rules:

- `write` never blocks. It adds to a queue, which is written in its order.
- The queue is bounded. When it is full, further lines are dropped until it has been written. Then
  one line says how many.
- What cannot be written (the reader is gone, the disk is full) is dropped in the same way.
- At the end of the process, what is queued is written if that takes no longer than END_TIMEOUT.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_QUEUED: Final = 1 << 20
"""Number of characters that may be queued, and not written yet: about 10,000 lines."""

WRITE_SIZE: Final = getattr(select, "PIPE_BUF", 512)
"""Largest number of bytes that are written at once, unless a single line is longer.

A pipe takes this many bytes at once or not at all: the lines of several processes that write to it
do not mix, and none is cut when the process ends.
"""

DELAY: Final = 0.02
"""Seconds to wait after writing, so that a busy server writes many lines at once."""

END_TIMEOUT: Final = 1.0
"""Timeout, in seconds, for writing what is queued at the end of the process."""


class LogWriter:
    """Writes text, in whole lines, with `sink`, which takes bytes and may block or raise OSError.

    `report` returns the line that tells a number of lines dropped. Until `start` is called, lines
    are written at once: a daemon forks first, and a thread would not survive that.
    """

    def __init__(
        self,
        sink: Callable[[bytes], object],
        report: Callable[[int], str],
        encoding: str = "utf-8",
    ) -> None:
        self._sink = sink
        self._report = report
        self._encoding = encoding
        self._queue: SimpleQueue[str | Callable[[], object]] | None = None
        # Reentrant, because a signal handler may log while its own thread is in `write`.
        self._lock = threading.RLock()
        self._queued = 0  # characters that are queued, or are being written
        self._dropped = 0  # lines, since the queue has become full
        self._lost = 0  # lines that are not reported yet; belongs to the thread
        self._ending = threading.Event()
        self._deadline = 0.0

    def start(self) -> None:
        """Start the thread."""
        if self._queue is None:
            self._queue = SimpleQueue()
            threading.Thread(target=self._run, args=[self._queue], name="log", daemon=True).start()

    def write(self, text: str) -> None:
        """Queue `text`, which is one or more whole lines; drop it if the queue is full."""
        if self._queue is None:
            self._write(text)
            return
        size = len(text)
        with self._lock:
            # A text of any length fits into an empty queue.
            if self._dropped or (self._queued and self._queued + size > MAX_QUEUED):
                self._dropped += text.count("\n")
            else:
                self._queued += size
                self._queue.put(text)
        if self._deadline:
            self._wait()

    def flush(self) -> None:
        """Do nothing: this makes the writer a file for Twisted, which flushes after each line."""

    def call(self, function: Callable[[], object]) -> None:
        """Call `function` in the thread, when everything that is queued now has been written."""
        if self._queue is None:
            function()
        else:
            self._queue.put(function)

    def end(self) -> None:
        """Wait until everything is written, from now on after each line too.

        All this takes no longer than END_TIMEOUT in total.
        """
        self._deadline = self._deadline or monotonic() + END_TIMEOUT
        self._ending.set()
        self._wait()

    def _wait(self) -> None:
        written = threading.Event()
        self.call(written.set)
        written.wait(max(self._deadline - monotonic(), 0))

    def _run(self, queue: SimpleQueue[str | Callable[[], object]]) -> None:
        while True:
            item, texts = queue.get(), []
            with suppress(Empty):
                while isinstance(item, str):
                    texts.append(item)
                    item = queue.get_nowait()
            if texts:
                self._write_all("".join(texts))
            if not isinstance(item, str):
                with suppress(OSError, ValueError):
                    item()
            self._ending.wait(DELAY)

    def _write_all(self, text: str) -> None:
        """Write what was queued, and report what was dropped."""
        self._report_lost()
        self._lost += self._write(text)
        with self._lock:
            self._queued -= len(text)
            if not self._queued:
                self._lost += self._dropped
                self._dropped = 0
        self._report_lost()

    def _report_lost(self) -> None:
        if self._lost and not self._write(self._report(self._lost)):
            self._lost = 0

    def _write(self, text: str) -> int:
        """Write `text`; return the number of lines that could not be written."""
        data = text.encode(self._encoding, "backslashreplace")
        start = 0
        while start < len(data):
            end = data.rfind(b"\n", start, start + WRITE_SIZE) + 1
            end = end or data.find(b"\n", start) + 1 or len(data)
            try:
                self._sink(data[start:end])
            except (OSError, ValueError):  # ValueError: a file was closed by a failed rotation
                return data.count(b"\n", start)
            start = end
        return 0


def descriptor_sink(descriptor: int) -> Callable[[bytes], None]:
    """Return a function that writes bytes to `descriptor`, and raises OSError."""

    def write(data: bytes) -> None:
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # another process has set O_NONBLOCK
                select.select([], [descriptor], [])

    return write
