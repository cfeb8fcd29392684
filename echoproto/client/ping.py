"""Ping: a line now and then on one open connection, and how long the answer to each took: `Ping`.

To an echo server, each line is a text of its own, and what answers it is the same line, whenever
it comes. To any other server, the same line is sent each time, and the next line that comes is the
answer, whatever it says. What such a server says before it is asked (SMTP greets) is none: the
first line is sent once the server has been silent for a while.
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
"""Seconds of silence after which a server that may greet is taken to have done so."""

MIN_LAST_TIMEOUT: Final = 1.0
"""Seconds at least that the last answers are waited for; or twice the longest time so far."""

MAX_LINE: Final = 64 * 1024
"""Bytes of a line of the server, beyond which it is cut."""

_MS: Final = 1000


class Ping:
    """Pings on an open connection: one each `interval` seconds, `count` or without end.

    `text` is what to send to a server that does not echo. `say` gets each line for the user.
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
        """How long each answer took, in seconds."""
        self._connection, self._name = connection, connection.target.name
        self._text, self._interval, self._count, self._say = text, interval, count, say
        self._splitter = LineSplitter(max_length=MAX_LINE)
        self._sent = self._wrong = 0
        self._waiting: dict[int, tuple[bytes, float]] = {}  # what was sent, and when
        self._heard = asyncio.Event()
        self._began = perf_counter()

    async def run(self) -> None:
        """Ping until all is sent and answered, or no answer is to be expected.

        Raises NetworkError, also if the server closes before that.
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
        """The lines with which it ends."""
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
                    await self._hear(GREETING_IDLE)
        self._began = perf_counter()
        while self._count is None or self._sent < self._count:
            await asyncio.sleep(self._began + self._sent * self._interval - perf_counter())
            self._sent += 1
            line = self._line(self._sent)
            self._waiting[self._sent] = line, perf_counter()
            await self._connection.send(line + b"\r\n")
        with suppress(TimeoutError):
            async with asyncio.timeout(max(MIN_LAST_TIMEOUT, 2 * max(self.times, default=0))):
                while self._waiting:
                    await self._hear(None)

    async def _hear(self, seconds: float | None) -> None:
        """Wait until the server has said something. Raises TimeoutError."""
        self._heard.clear()
        await asyncio.wait_for(self._heard.wait(), seconds)

    async def _receive(self) -> None:
        while data := await self._connection.receive():
            now = perf_counter()
            self._splitter.feed(data)
            for line in self._splitter.cut(keep_rest=False):
                self._take(line, now)
            self._heard.set()
        raise NetworkError(f"{self._name}: closed by the server")

    def _take(self, line: bytes, now: float) -> None:
        number = self._answered_by(line)
        if number is not None:
            took = now - self._waiting.pop(number)[1]
            self.times.append(took)
            what = "" if self._text is None else f": {escape(line)}"
            self._say(
                f"{len(line)} bytes from {self._name}: seq={number} time={took * _MS:.3f} ms{what}"
            )
        elif self._waiting:
            self._wrong += 1
            self._say(f"wrong answer from {self._name}: {escape(line)}")
        else:
            self._say(f"unasked from {self._name}: {escape(line)}")

    def _answered_by(self, line: bytes) -> int | None:
        """Which of ours is answered; an answer that may be any is that to the oldest."""
        if self._text is not None:
            return next(iter(self._waiting), None)
        return next((n for n, (sent, _) in self._waiting.items() if sent == line), None)
