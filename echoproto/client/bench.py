"""Runs a load on a server, from the first connection to the last answer: `Bench` and `Result`.

- All connections are open before the clock starts.
- When the duration is over, no more messages are sent. The server then has ANSWER_TIMEOUT seconds
  to answer those that are in flight.

`load` sends and checks the messages of one connection, or `session_load` runs a session file on it;
`latency` records the times.
`cli.bench` runs a `Bench` and shows its `Result`.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import signal
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final, cast

from echoproto.client import limits
from echoproto.client.load import ClosedLoop, OpenLoop, Tally, Text
from echoproto.client.opening import open_transport
from echoproto.client.session_load import SessionLoop
from echoproto.client.stalls import StallMeter
from echoproto.client.tls import tls_context, tls_hint
from echoproto.errors import NetworkError
from echoproto.wire.dump import escape

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from echoproto.client.load import Load
    from echoproto.client.session_load import SessionLoad
    from echoproto.client.target import Target

ANSWER_TIMEOUT: Final = 5.0
"""Seconds to wait at the end for the answers to the messages in flight."""

_MAX_CONNECTING: Final = 100  # connections to open at a time: a server's listen queue is short
_MAX_SAMPLE_INTERVAL: Final = 0.1  # seconds
_MIN_SAMPLES: Final = 100  # in one run
_MIN_WAKE_INTERVAL: Final = 1e-4  # seconds between two wake-ups of an open loop
_POLL_INTERVAL: Final = 1e-3  # seconds between two checks for the last answer, or for the close
_CLOSE_TIMEOUT: Final = 1.0  # seconds; on TLS, the server takes part in closing


@dataclass(frozen=True)
class Result:
    """The result of a run. All times are in seconds.

    `bytes` counts the bytes that came back, and a megabyte is 10^6 bytes. `duration` is the time
    from the first message to the last answer, or to the end of the load's duration if that is
    later. `errors` counts the connections that failed, by reason. `lost_bytes` counts the bytes
    that were sent and did not come back, and `unsent_bytes` those that were due and never left this
    program. If the run was interrupted, what is outstanding on open connections counts as neither.
    `longest_stall` is the longest time in which this program itself stood still: latencies up to
    that may be its own. `session` is the name of the session file that was the load, or None. A
    message is then one run of it, and `depth`, `size` and `rate` have no meaning.
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
    unsent_bytes: int
    wrong_bytes: int
    latency: dict[str, float | None]
    cpu_seconds: float
    longest_stall: float
    session: str | None = None


class Bench:
    """One run of `load` on `target`.

    With a `session`, that is what the connections run; `load` has their number and the duration.
    `wait` limits the time for opening each connection, in seconds. With `insecure`, a TLS
    connection accepts any certificate.
    """

    def __init__(
        self,
        target: Target,
        load: Load,
        *,
        wait: float | None = None,
        insecure: bool = False,
        session: SessionLoad | None = None,
    ) -> None:
        self.has_begun = False
        """Whether the clock has started."""
        self.on_progress: Callable[[float, int], object] = lambda _seconds, _messages: None
        """Called regularly, with the seconds since the start and the number of answers so far."""
        self.samples: list[tuple[float, int]] = [(0.0, 0)]
        """Points of (seconds since the start, number of answered messages)."""
        self._target, self._load, self._session = target, load, session
        self._address = target  # where to connect to
        self._wait = wait
        self._insecure = insecure
        self._tls: ssl.SSLContext | None = None
        self._tally, self._stalls = Tally(), StallMeter()
        self.latencies = self._tally.latencies
        self._connections: list[ClosedLoop | SessionLoop] = []
        self._start = self._end = self._cpu = 0.0
        self._lost = self._unsent = 0
        self._send_due: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Open the connections, send the load, wait for the last answers, and close.

        Raises NetworkError if the first connection fails, and OSError if the system does not have
        what the load needs: see `limits`. After the clock has started (`has_begun`), failures do
        not raise: `result` and `problem` report them, also if the run is cancelled.
        """
        limits.check(self._target, self._load)
        self._text = Text(self._load)
        self._tls = tls_context(self._target, insecure=self._insecure)
        try:
            await self._connect()
            await self._measure()
        finally:
            await self._close()

    def result(self) -> Result:
        """Return the result, or the result so far while the load runs."""
        load, tally = self._load, self._tally
        duration = self._end - self._start
        received = sum(connection.received for connection in self._connections)
        seconds = duration or math.inf  # nothing was measured in no time
        return Result(
            target=str(self._target),
            connections=load.connections,
            depth=load.depth,
            size=load.size,
            rate=load.rate,
            duration=duration,
            messages=self.latencies.count,
            messages_per_second=self.latencies.count / seconds,
            bytes=received,
            megabytes_per_second=received / seconds / 1e6,
            errors=dict(tally.errors),
            lost_bytes=self._lost,
            unsent_bytes=self._unsent,
            wrong_bytes=tally.wrong_bytes,
            latency=self.latencies.summary(),
            cpu_seconds=self._cpu,
            longest_stall=self._stalls.longest,
            session=self._session.session.name if self._session else None,
        )

    def problem(self) -> str:
        """Return one line about errors, lost bytes and wrong bytes; empty if there were none."""
        result = self.result()
        # The server may answer plain text with an alert of TLS, or with nothing.
        first = self._tally.first_wrong[3][:7] if self._tally.first_wrong else b""
        is_answered = result.messages or (self._session and result.bytes)
        hint = "" if is_answered else tls_hint(self._target, first)
        problems = [f"{why}{hint} ({count:,} of {result.connections:,} connections)"
                    for why, count in result.errors.items()]  # fmt: skip
        if result.lost_bytes:
            late = (
                "" if result.errors else f", which did not come back in {ANSWER_TIMEOUT:g} seconds"
            )
            problems.append(f"bytes lost: {result.lost_bytes:,}{late}")
        if result.unsent_bytes:
            why = " (the server did not take them, or answered too late for --depth)"
            problems.append(
                f"bytes not sent: {result.unsent_bytes:,}{'' if result.errors else why}"
            )
        if self._tally.first_wrong:
            number, at, expected, got = self._tally.first_wrong
            problems.append(
                f"bytes wrong: {result.wrong_bytes:,}, the first on connection {number + 1} after "
                f"{at:,} bytes: received '{escape(got)}' instead of '{escape(expected)}'"
            )
        return "; ".join(problems)

    async def _connect(self) -> None:
        first = await self._open(0)
        if first.peer:
            # This avoids further look-ups of the name, and all connections use the same address.
            self._address = replace(self._target, host=first.peer)
        places = asyncio.Semaphore(_MAX_CONNECTING)

        async def open_another(number: int) -> None:
            async with places:
                try:
                    await self._open(number)
                except NetworkError as error:
                    why = str(error).replace(f" to {self._target.name}", "")
                    if why.endswith(os.strerror(errno.EADDRNOTAVAIL)):  # the first had an address
                        why += ": no local port is free"
                    self._tally.errors[why] += 1

        await asyncio.gather(*map(open_another, range(1, self._load.connections)))

    async def _open(self, number: int) -> ClosedLoop | SessionLoop:
        async def open_on(protocol: asyncio.Protocol) -> None:
            await open_transport(
                self._target, protocol, self._wait, context=self._tls, address=self._address
            )

        connection: ClosedLoop | SessionLoop
        if self._session:
            connection = SessionLoop(self._session, self._tally, open_on)
        else:
            kind = OpenLoop if self._load.rate else ClosedLoop
            connection = kind(number, self._load, self._text, self._tally)
        await open_on(connection)
        self._connections.append(connection)
        return connection

    async def _measure(self) -> None:
        self._start = self._end = perf_counter()
        cpu = process_time()
        self.has_begun = True
        counted = self._connections
        self._stalls.start()
        try:
            await self._send(self._start + self._load.duration)
            await _until(self._all_answered, ANSWER_TIMEOUT, _POLL_INTERVAL, self._sample)
        except asyncio.CancelledError:
            self._end = perf_counter()
            counted = [each for each in self._connections if not each.is_open]
            raise
        finally:
            self._stalls.stop()
            self._sample()
            self._lost = sum(each.missing for each in counted)
            self._unsent = sum(each.unsent for each in counted)
            self._cpu = process_time() - cpu

    async def _send(self, deadline: float) -> None:
        try:
            if self._load.rate:
                self._begin_open(self._load.rate)
            else:
                for connection in self._connections:
                    connection.begin(deadline)
            tick = min(_MAX_SAMPLE_INTERVAL, self._load.duration / _MIN_SAMPLES)
            await _until(self._all_lost, deadline - perf_counter(), tick, self._sample)
            self._send_due()  # send the messages that have become due since the last wake-up
            self._end = max(self._end, min(perf_counter(), deadline))
        finally:
            if self._load.rate:
                signal.setitimer(signal.ITIMER_REAL, 0)
                asyncio.get_running_loop().remove_signal_handler(signal.SIGALRM)
            for connection in self._connections:
                connection.end()

    def _begin_open(self, rate: float) -> None:
        """Start to send each message when it is due.

        This uses the system's interval timer, because the event loop's timers are too coarse.
        """
        connections = cast("list[OpenLoop]", self._connections)
        total = math.ceil(rate * self._load.duration)
        announced = 0  # messages of which the connections have been notified

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
        return not any(each.is_open and (each.missing or each.unsent) for each in self._connections)

    def _sample(self) -> None:
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
    interval: float,
    action: Callable[[], object] = lambda: None,
) -> None:
    """Wait until `done()` is true, for `seconds` at most. Call `action` after each `interval`."""
    end = perf_counter() + seconds
    while not done() and (left := end - perf_counter()) > 0:
        await asyncio.sleep(min(interval, left))
        action()
