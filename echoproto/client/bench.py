"""A load on a server, from the first connection to the last answer: `Bench`, and its `Result`.

All connections are made before the clock starts. When the time is over nothing more comes due, and
the server has a while to answer what is left. What goes on on a connection is in `load`.
"""

from __future__ import annotations

import asyncio
import math
import resource
import signal
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final, cast

from echoproto.client.load import ClosedLoop, OpenLoop, Tally, Text
from echoproto.client.opening import open_transport, tls_context
from echoproto.errors import NetworkError
from echoproto.wire.dump import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.client.load import Load
    from echoproto.client.target import Target

ANSWER_TIMEOUT: Final = 5.0
"""Seconds that the server has at the end to answer what is left."""

_MAX_CONNECTING: Final = 100  # connections that are being made at a time: a listen queue is short
_OTHER_FILES: Final = 50  # open files that are not our connections
_MAX_SAMPLE_INTERVAL: Final = 0.1  # seconds between two samples, at most
_MIN_SAMPLES: Final = 100  # samples, at least
_MIN_WAKE_INTERVAL: Final = 1e-4  # seconds between two wakes of an open loop, at least
_POLL_INTERVAL: Final = 1e-3  # seconds between two looks at whether all is answered, or closed
_CLOSE_TIMEOUT: Final = 1.0  # seconds that closing may take: on TLS, the server has a part in it


@dataclass(frozen=True)
class Result:
    """What became of a load. Times are in seconds.

    `bytes` are those that came back; a megabyte is 10^6 of them. `duration` goes from the first
    message to the last answer, and to the end of the time at least. Of what was cut short, nothing
    is called lost.
    """

    target: str
    connections: int
    depth: int
    size: int
    rate: float | None
    duration: float
    messages: int
    messages_per_second: float
    bytes: int
    megabytes_per_second: float
    errors: dict[str, int]
    lost_bytes: int
    wrong_bytes: int
    latency: dict[str, float | None]
    cpu_seconds: float


class Bench:
    """One run of `load` on `target`. `wait` and `insecure` are those of `connect`."""

    def __init__(
        self,
        target: Target,
        load: Load,
        *,
        wait: float | None = None,
        insecure: bool = False,
    ) -> None:
        self.has_begun = False
        self.on_progress: Callable[[float, int], object] = lambda _seconds, _messages: None
        """Is called now and then, with the seconds that have gone and the messages answered."""
        self.samples: list[tuple[float, int]] = [(0.0, 0)]
        """Seconds that had gone, and messages that had been answered."""
        self._target, self._load = target, load
        self._wait = wait
        self._tls = tls_context(target, insecure=insecure)
        self._text, self._tally = Text(load), Tally()
        self.latencies = self._tally.latencies
        self._connections: list[ClosedLoop] = []
        self._start = self._end = self._cpu = 0.0
        self._cut_short = False
        self._send_due: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Connect, send, wait for the last answers, close.

        Raises NetworkError if it cannot connect; OSError if so many files cannot be open. What
        went wrong once it has begun is in `result` and `problem`, also if it is cancelled.
        """
        _allow_open_files(self._load.connections + _OTHER_FILES)
        try:
            await self._connect()
            await self._measure()
        finally:
            await self._close()

    def result(self) -> Result:
        """How it went, or goes."""
        load, tally = self._load, self._tally
        duration = self._end - self._start
        received = sum(connection.received for connection in self._connections)
        return Result(
            target=str(self._target),
            connections=load.connections,
            depth=load.depth,
            size=load.size,
            rate=load.rate,
            duration=duration,
            messages=self.latencies.count,
            messages_per_second=self.latencies.count / duration,
            bytes=received,
            megabytes_per_second=received / duration / 1e6,
            errors=dict(tally.errors),
            lost_bytes=0 if self._cut_short else sum(each.missing for each in self._connections),
            wrong_bytes=tally.wrong_bytes,
            latency=self.latencies.summary(),
            cpu_seconds=self._cpu,
        )

    def problem(self) -> str:
        """What is not as it should be, and how much of it; empty if nothing."""
        result = self.result()
        problems = [f"{why} ({count:,} of {result.connections:,} connections)"
                    for why, count in result.errors.items()]  # fmt: skip
        if result.lost_bytes:
            late = (
                "" if result.errors else f", which did not come back in {ANSWER_TIMEOUT:g} seconds"
            )
            problems.append(f"bytes lost: {result.lost_bytes:,}{late}")
        if self._tally.first_wrong:
            number, at, expected, got = self._tally.first_wrong
            problems.append(
                f"bytes wrong: {result.wrong_bytes:,}, the first on connection {number + 1} after "
                f"{at:,} bytes: '{escape(got)}' came, not '{escape(expected)}'"
            )
        return "; ".join(problems)

    async def _connect(self) -> None:
        first = await self._open(0, self._target)
        # The name need not be looked up again, and all go to the same address.
        address = replace(self._target, host=first.peer[0]) if first.peer else self._target
        places = asyncio.Semaphore(_MAX_CONNECTING)

        async def open_another(number: int) -> None:
            async with places:
                try:
                    await self._open(number, address)
                except NetworkError as error:
                    self._tally.errors[str(error).replace(f" to {self._target.name}", "")] += 1

        await asyncio.gather(*map(open_another, range(1, self._load.connections)))

    async def _open(self, number: int, address: Target) -> ClosedLoop:
        kind = OpenLoop if self._load.rate else ClosedLoop
        connection = kind(number, self._load, self._text, self._tally)
        await open_transport(
            self._target, connection, self._wait, context=self._tls, address=address
        )
        self._connections.append(connection)
        return connection

    async def _measure(self) -> None:
        self._start = self._end = perf_counter()
        cpu = process_time()
        self.has_begun = True
        try:
            await self._send(self._start + self._load.duration)
            await _until(self._all_answered, ANSWER_TIMEOUT, _POLL_INTERVAL, self._look)
        except asyncio.CancelledError:
            self._end, self._cut_short = perf_counter(), True
            raise
        finally:
            self._look()
            self._cpu = process_time() - cpu

    async def _send(self, deadline: float) -> None:
        try:
            if self._load.rate:
                self._begin_open(self._load.rate)
            else:
                for connection in self._connections:
                    connection.begin(deadline)
            tick = min(_MAX_SAMPLE_INTERVAL, self._load.duration / _MIN_SAMPLES)
            await _until(self._all_lost, deadline - perf_counter(), tick, self._look)
            self._send_due()  # the last may have come due since the last wake
            self._end = max(self._end, min(perf_counter(), deadline))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for connection in self._connections:
                connection.end()

    def _begin_open(self, rate: float) -> None:
        """Send each message when it is due; for which a loop's own timers are too coarse."""
        connections = cast("list[OpenLoop]", self._connections)
        total = math.ceil(rate * self._load.duration)
        announced = 0  # messages that the connections know to be due

        def send_due() -> None:
            nonlocal announced
            due = min(total, int((perf_counter() - self._start) * rate) + 1)
            for number in range(announced, min(due, announced + len(connections))):
                which = number % len(connections)
                connections[which].send_due(-(-(due - which) // len(connections)))
            announced = due
            if due < total:
                left = self._start + due / rate - perf_counter()
                signal.setitimer(signal.ITIMER_REAL, max(left, _MIN_WAKE_INTERVAL))

        for number, connection in enumerate(connections):
            connection.schedule(self._start + number / rate, len(connections) / rate)
        self._send_due = send_due
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, send_due)
        send_due()

    def _all_lost(self) -> bool:
        return not any(connection.is_open for connection in self._connections)

    def _all_answered(self) -> bool:
        return not any(each.is_open and each.missing for each in self._connections)

    def _look(self) -> None:
        self.latencies.gather()
        now, messages = perf_counter(), self.latencies.count
        if messages > self.samples[-1][1]:
            self._end = now
        self.samples.append((now - self._start, messages))
        self.on_progress(now - self._start, messages)

    async def _close(self) -> None:
        for connection in self._connections:
            connection.close()
        await _until(
            lambda: all(each.is_closed for each in self._connections),
            _CLOSE_TIMEOUT,
            _POLL_INTERVAL,
        )
        for connection in self._connections:
            connection.abort()


async def _until(
    done: Callable[[], bool],
    seconds: float,
    every: float,
    look: Callable[[], object] = lambda: None,
) -> None:
    """Wait until `done`, but no more than so many seconds; `look` now and then."""
    end = perf_counter() + seconds
    while not done() and (left := end - perf_counter()) > 0:
        await asyncio.sleep(min(every, left))
        look()


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count and soft != resource.RLIM_INFINITY:
        if hard < count and hard != resource.RLIM_INFINITY:
            raise OSError(
                f"so many connections need {count} open files, and no more than {hard} are allowed "
                "(ulimit -Hn); give a lower --connections"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
