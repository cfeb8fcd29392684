"""Ping: sends a line at each interval on one connection, and measures how long each answer takes.

There are two modes:

- To an echo server, `Ping` sends a different line each time. The answer to a line is the same line,
  whenever it arrives.
- To any other server, `Ping` sends the same line each time. The answer is the next line that
  arrives, whatever its text. A greeting (SMTP sends one) is no answer. Therefore `Ping` sends its
  first line after the server has been silent for GREETING_IDLE seconds.

A ping whose answer takes longer than `timeout` is lost. It is still remembered: an answer that
comes after all is late, and says how long it took, but the ping stays lost. Of these, the last
MAX_OVERDUE are remembered, so that a server that never answers costs no more and more memory.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from math import inf, sqrt
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

ANSWER_TIMEOUT: Final = 10.0
"""Seconds to wait for each answer by default, as long as ping(8) waits for the first one."""

MAX_LINE: Final = 64 * 1024
"""Maximum number of bytes in a line from the server; a longer line is cut."""

MAX_OVERDUE: Final = 10_000
"""Number of lost pings whose times are remembered, for answers that are late."""

_MS: Final = 1000


@dataclass
class Times:
    """What is told about the times of the answers that were not late, in seconds."""

    count: int = 0
    least: float = inf
    most: float = 0.0
    mean: float = 0.0
    _squares: float = 0.0  # sum of the squared differences from the mean

    def add(self, seconds: float) -> None:
        """Add the time of an answer. Welford's method keeps the mean and the deviation exact."""
        self.count += 1
        self.least, self.most = min(self.least, seconds), max(self.most, seconds)
        difference = seconds - self.mean
        self.mean += difference / self.count
        self._squares += difference * (seconds - self.mean)

    @property
    def deviation(self) -> float:
        """The standard deviation of all times."""
        return sqrt(self._squares / self.count)


class Ping:
    """A series of pings on an open connection: one every `interval` seconds.

    `count` is the number of pings; None pings until `run` is cancelled. `timeout` is how long to
    wait for each answer, in seconds. `text` is the line to send to a server that does not echo;
    None is for an echo server. `say` is called with each line of text for the user.
    """

    def __init__(
        self,
        connection: ClientConnection,
        *,
        text: bytes | None = None,
        interval: float = 1.0,
        count: int | None = None,
        timeout: float = ANSWER_TIMEOUT,
        say: Callable[[str], object],
    ) -> None:
        self.times = Times()
        self._connection, self._name = connection, connection.target.name
        self._text, self._interval, self._count, self._say = text, interval, count, say
        self._timeout = timeout
        self._splitter = LineSplitter(max_length=MAX_LINE)
        self._sent = self._wrong = self._late = 0
        # The unanswered pings by their numbers, in order: the time at which each was sent. Those
        # whose time is up move from the first to the second.
        self._in_flight: dict[int, float] = {}
        self._overdue: dict[int, float] = {}
        self._forgotten = 0  # the last number that was removed from them unanswered
        self._next = 1  # the number of the ping that the next line answers, if any line may
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
        except NetworkError:
            self._expire(float("inf"))  # no answer can come any more
            raise
        finally:
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    def summary(self) -> Iterator[str]:
        """Return the lines of statistics, for the end of the output."""
        now = perf_counter()
        self._expire(now)
        answered = self.times.count
        lost = self._sent - answered - len(self._in_flight)
        percentage = 100 * lost / (lost + answered) if lost else 0
        yield f"--- {self._name} ping statistics ---"
        counts = [(self._late, "late"), (self._wrong, "wrong"), (len(self._in_flight), "in flight")]
        more = "".join(f"{count} {what}, " for count, what in counts if count)
        yield (
            f"{self._sent} line{'s' * (self._sent != 1)} sent, {answered} answered, {more}"
            f"{percentage:.4g}% lost, time {(now - self._began) * _MS:.0f} ms"
        )
        if answered:
            values = (self.times.least, self.times.mean, self.times.most, self.times.deviation)
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
            self._in_flight[self._sent] = perf_counter()
            await self._connection.send(self._line(self._sent) + b"\r\n")
        while self._in_flight:
            sent_at = next(iter(self._in_flight.values()))
            with suppress(TimeoutError):
                await self._wait_for_data(sent_at + self._timeout - perf_counter())
            self._expire(perf_counter())

    async def _wait_for_data(self, seconds: float) -> None:
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
        raise NetworkError(f"{self._name}: closed by the server{self._connection.stream.hint}")

    def _handle_line(self, line: bytes, now: float) -> None:
        self._expire(now)
        number = self._answered_by(line)
        if number in self._in_flight:
            took, late = now - self._in_flight.pop(number), ""
            self.times.add(took)
        elif number in self._overdue:
            took, late = now - self._overdue.pop(number), " (late)"
            self._late += 1
        elif 0 < number <= self._forgotten:
            self._say(f"an answer from {self._name} is too late to be timed: seq={number}")
            return
        elif self._in_flight:
            self._wrong += 1
            self._say(f"wrong answer from {self._name}: {escape(line)}")
            return
        else:
            self._say(f"unexpected line from {self._name}: {escape(line)}")
            return
        size = f"{len(line)} byte{'s' * (len(line) != 1)}"
        what = "" if self._text is None else f": {escape(line)}"
        self._say(f"{size} from {self._name}: seq={number} time={took * _MS:.3f} ms{late}{what}")

    def _answered_by(self, line: bytes) -> int:
        """Return the number of the ping that `line` answers; 0 if it answers no ping.

        If any line may be the answer, it answers the oldest ping: answers on one connection come in
        order.
        """
        if self._text is not None:
            if self._next > self._sent:
                return 0
            self._next += 1
            return self._next - 1
        found = re.fullmatch(rb"ping ([1-9][0-9]{0,18})", line)
        return int(found[1]) if found else 0

    def _expire(self, now: float) -> None:
        """Count as lost, for now, what was sent more than `timeout` before `now`."""
        while self._in_flight:
            number, sent_at = next(iter(self._in_flight.items()))
            if now - sent_at < self._timeout:
                break
            self._overdue[number] = self._in_flight.pop(number)
        while len(self._overdue) > MAX_OVERDUE:
            self._forgotten = next(iter(self._overdue))
            del self._overdue[self._forgotten]
