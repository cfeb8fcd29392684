"""Ping: sends a line at each interval on one connection, and measures how long each answer takes.

There are two modes:

- To an echo server, `Ping` sends a different line each time. The answer to a line is the same line,
  whenever it arrives.
- To any other server, `Ping` sends the same line each time. The answer is the next line that
  arrives, whatever its text. A greeting (SMTP sends one) is no answer. Therefore `Ping` sends its
  first line after the server has been silent for GREETING_IDLE seconds.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from statistics import fmean, pstdev
from time import perf_counter
from typing import TYPE_CHECKING, Final

from echoproto.errors import NetworkError
from echoproto.wire.dump import escape
from echoproto.wire.framing import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from echoproto.client.connection import ClientConnection

GREETING_IDLE: Final = 0.5
"""Seconds of silence after which the server's greeting is considered complete."""

MIN_LAST_TIMEOUT: Final = 1.0
"""Seconds to wait for the last answers, or twice the longest time so far if that is more."""

MAX_LINE: Final = 64 * 1024
"""Maximum number of bytes in a line from the server; a longer line is cut."""

_MS: Final = 1000


class Ping:
    """A series of pings on an open connection: one every `interval` seconds.

    `count` is the number of pings; None pings until `run` is cancelled. `text` is the line to send
    to a server that does not echo; None is for an echo server. `say` is called with each line of
    text for the user.
    """

    def __init__(
        self,
        connection: ClientConnection,
        *,
        text: bytes | None = None,
        interval: float = 1.0,
        count: int | None = None,
        say: Callable[[str], object],
    ) -> None:
        self.times: list[float] = []
        """Time that each answer took, in seconds."""
        self._connection, self._name = connection, connection.target.name
        self._text, self._interval, self._count, self._say = text, interval, count, say
        self._splitter = LineSplitter(max_length=MAX_LINE)
        self._sent = self._wrong = 0
        # The unanswered pings by their numbers: the line, and the time at which it was sent.
        self._unanswered: dict[int, tuple[bytes, float]] = {}
        self._received = asyncio.Event()
        self._began = perf_counter()

    async def run(self) -> None:
        """Ping until `count` pings are sent, and answered or too late.

        Raises NetworkError if the connection is lost, or if the server closes it before the end.
        """
        self._say(f"PING {self._name}: '{escape(self._line(1))}'")
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send())
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            (sending if sending.done() else receiving).result()
        finally:
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    def summary(self) -> Iterator[str]:
        """Return the lines of statistics, for the end of the output."""
        answered, spent = len(self.times), perf_counter() - self._began
        lost = 100 * (self._sent - answered) / self._sent if self._sent else 0
        yield f"--- {self._name} ping statistics ---"
        wrong = f"{self._wrong} wrong, " if self._wrong else ""
        yield (
            f"{self._sent} lines sent, {answered} answered, {wrong}{lost:.4g}% lost, "
            f"time {spent * _MS:.0f} ms"
        )
        if self.times:
            values = (min(self.times), fmean(self.times), max(self.times), pstdev(self.times))
            yield f"rtt min/avg/max/stddev = {'/'.join(f'{t * _MS:.3f}' for t in values)} ms"

    def _line(self, number: int) -> bytes:
        return b"ping %d" % number if self._text is None else self._text

    async def _send(self) -> None:
        if self._text is not None:
            with suppress(TimeoutError):
                while True:
                    await self._wait_for_data(GREETING_IDLE)
        self._began = perf_counter()
        while self._count is None or self._sent < self._count:
            await asyncio.sleep(self._began + self._sent * self._interval - perf_counter())
            self._sent += 1
            line = self._line(self._sent)
            self._unanswered[self._sent] = line, perf_counter()
            await self._connection.send(line + b"\r\n")
        with suppress(TimeoutError):
            async with asyncio.timeout(max(MIN_LAST_TIMEOUT, 2 * max(self.times, default=0))):
                while self._unanswered:
                    await self._wait_for_data(None)

    async def _wait_for_data(self, seconds: float | None) -> None:
        """Wait until data arrives from the server. Raises TimeoutError after `seconds`."""
        self._received.clear()
        await asyncio.wait_for(self._received.wait(), seconds)

    async def _receive(self) -> None:
        while data := await self._connection.receive():
            now = perf_counter()
            self._splitter.feed(data)
            for line in self._splitter.cut(keep_rest=False):
                self._handle_line(line, now)
            self._received.set()
        raise NetworkError(f"{self._name}: closed by the server")

    def _handle_line(self, line: bytes, now: float) -> None:
        number = self._answered_by(line)
        if number is not None:
            took = now - self._unanswered.pop(number)[1]
            self.times.append(took)
            what = "" if self._text is None else f": {escape(line)}"
            self._say(
                f"{len(line)} bytes from {self._name}: seq={number} time={took * _MS:.3f} ms{what}"
            )
        elif self._unanswered:
            self._wrong += 1
            self._say(f"wrong answer from {self._name}: {escape(line)}")
        else:
            self._say(f"unasked from {self._name}: {escape(line)}")

    def _answered_by(self, line: bytes) -> int | None:
        """Return the number of the ping that `line` answers; None if it answers no ping.

        If any line may be the answer, it answers the oldest ping.
        """
        if self._text is not None:
            return next(iter(self._unanswered), None)
        return next((n for n, (sent, _) in self._unanswered.items() if sent == line), None)
