"""Load on one connection, every byte of the echo checked: `ClosedLoop` and `OpenLoop`.

All connections send the same long text of random letters and digits, over and over, cut into
messages of one size; each begins at a place of its own. So what has to come next on a connection is
always a slice of that text: one comparison in C checks it, and a byte that is missing, changed,
doubled, or of another connection makes it fail.

In closed loop, `depth` messages are in flight, and a message goes out for each that has come back.
In open loop messages come due at a rate, whatever the server does: one that finds `depth` in flight
waits, and its time counts from when it was due. Otherwise a slow answer would hold back just those
messages that would have shown how slow the server is ("coordinated omission").
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from dataclasses import dataclass, field
from operator import ne
from random import Random
from time import perf_counter
from typing import Final, cast

from echoproto.client.latency import Latencies

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
_CYCLE: Final = 64 * 1024  # bytes of text before it begins anew: what stays in a CPU's cache
_MIN_MESSAGES: Final = 7  # messages of text, however long they are
_STRIDE: Final = 619  # messages between the places where two connections begin
_SHOWN: Final = 16  # bytes of a first difference that are shown


@dataclass(frozen=True)
class Load:
    """What to send. `rate` is in messages a second, on all connections together.

    Without a rate it is closed loop. `size` is in bytes, and includes `line_end`; `duration` is
    in seconds.
    """

    connections: int = 50
    depth: int = 1
    size: int = 64
    line_end: bytes = b"\n"
    rate: float | None = None
    duration: float = 10.0


class Text:
    """What all connections send: `cycle` bytes of messages, again and again."""

    def __init__(self, load: Load) -> None:
        self._size, self._messages = load.size, max(_MIN_MESSAGES, _CYCLE // load.size)
        self.cycle = self._size * self._messages
        letters = Random(0).randbytes(self.cycle).translate(_ALPHABET * 4)  # noqa: S311
        body = load.size - len(load.line_end)
        text = b"".join(letters[at : at + body] + load.line_end for at in self._places())
        # All that can be in flight is one slice, wherever it begins.
        self.bytes = text * (1 + -(-load.depth * load.size // self.cycle))

    def start(self, number: int) -> int:
        """Where connection `number` begins."""
        return self._places()[number * _STRIDE % self._messages]

    def _places(self) -> range:
        return range(0, self.cycle, self._size)


@dataclass
class Tally:
    """What all connections have seen."""

    latencies: Latencies = field(default_factory=Latencies)
    errors: Counter[str] = field(default_factory=Counter)
    wrong_bytes: int = 0
    first_wrong: tuple[int, int, bytes, bytes] | None = None
    """ClientConnection, offset in what it received, bytes that were expected, bytes that came."""


class ClosedLoop(asyncio.Protocol):
    """A connection on which `depth` messages are in flight."""

    def __init__(self, number: int, load: Load, text: Text, tally: Tally) -> None:
        self.is_open = self.is_closed = False
        self._number = number
        self._depth, self._size = load.depth, load.size
        self._window = load.depth * load.size
        self._text, self._cycle = text.bytes, text.cycle
        self._tally = tally
        self._record, self._record_many = tally.latencies.record, tally.latencies.record_many
        self._record_all = self._record if load.depth == 1 else self._record_depth
        self._deadline = 0.0  # nothing is sent from then on
        self._start = self._place = text.start(number)  # of the next byte to send
        self._in_flight = 0  # bytes
        self._part = 0  # bytes that have come of a message that is not complete
        self._batches: deque[tuple[float, int]] = deque()  # when so many messages were sent
        # Where all that is in flight was sent at once: what it is, and when that was.
        self._expected: bytes | None = None
        self._then = 0.0

    @property
    def peer(self) -> tuple[str, int] | None:
        """Host and port of the server; None for a Unix socket."""
        return self._transport.get_extra_info("peername") or None

    @property
    def received(self) -> int:
        """Bytes that have come back."""
        return self._place - self._start - self._in_flight

    @property
    def missing(self) -> int:
        """Bytes that should have come back, and have not."""
        return self._in_flight

    def begin(self, deadline: float) -> None:
        """Send the first messages; the last before the deadline."""
        if self.is_open:
            self._deadline = deadline
            self._send(self._depth, perf_counter())

    def end(self) -> None:
        """Send no more."""
        self._deadline = 0.0

    def close(self) -> None:
        """Close the connection; `is_closed` when that is done."""
        self.is_open = False
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.set_write_buffer_limits(0)  # uvloop then writes at once, as asyncio does
        self._write = self._transport.write
        self.is_open = True

    def eof_received(self) -> None:
        """See asyncio.Protocol. It closes the connection, and nothing may be written from now."""
        self._lost("closed by the server")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.is_closed = True
        number = getattr(exc, "errno", None)
        self._lost(os.strerror(number) if number else str(exc or "closed by the server"))

    def _lost(self, why: str) -> None:
        if self.is_open:
            self.is_open = False
            self._tally.errors[why] += 1

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        now = perf_counter()
        if data == self._expected and now < self._deadline:
            # What the methods below do, for the case that has to be fast.
            self._record_all(now - self._then)
            self._then = now
            at = self._place % self._cycle
            self._place += self._window
            self._expected = messages = self._text[at : at + self._window]
            self._write(messages)
        elif count := self._check(data):
            self._answered(count, now)
            if now < self._deadline:
                self._send(count, now)

    def _record_depth(self, seconds: float) -> None:
        self._record_many(seconds, self._depth)

    def _check(self, data: bytes) -> int:
        """Check what has come; how many messages are complete with it."""
        if self._expected is not None:
            self._expected = None
            self._batches[0] = self._then, self._depth
        at = (self._place - self._in_flight) % self._cycle
        due = min(len(data), self._in_flight)
        if due < len(data) or not self._text.startswith(data, at):
            self._wrong(data, self._text[at : at + due])
        self._in_flight -= due
        count, self._part = divmod(self._part + due, self._size)
        return count

    def _wrong(self, data: bytes, expected: bytes) -> None:
        differ = [*map(ne, data, expected), *[True] * (len(data) - len(expected))]
        self._tally.wrong_bytes += sum(differ)
        if self._tally.first_wrong is None:
            at = differ.index(True)
            shown = slice(at, at + _SHOWN)
            self._tally.first_wrong = (
                self._number, self.received + at, expected[shown], data[shown]
            )  # fmt: skip

    def _answered(self, count: int, now: float) -> None:
        batches = self._batches
        while count:
            then, sent = batches[0]
            part = min(count, sent)
            self._record_many(now - then, part)
            if part == sent:
                batches.popleft()
            else:
                batches[0] = then, sent - part
            count -= part

    def _send(self, count: int, now: float) -> None:
        self._batches.append((now, count))
        messages = self._next(count)
        if count == self._depth:
            self._expected, self._then = messages, now
        self._write(messages)

    def _next(self, count: int) -> bytes:
        """The next messages to send, which from now on are in flight."""
        at = self._place % self._cycle
        messages = self._text[at : at + count * self._size]
        self._place += len(messages)
        self._in_flight += len(messages)
        return messages


class OpenLoop(ClosedLoop):
    """A connection on which message after message comes due."""

    _due = _written = _complete = 0  # messages

    def schedule(self, first: float, interval: float) -> None:
        """When the first message is due, and how long after it the next, in seconds."""
        self._first, self._interval = first, interval

    @property
    def missing(self) -> int:
        """Bytes that should have come back, and have not; also those that could not be sent."""
        return self._in_flight + (self._due - self._written) * self._size

    def send_due(self, due: int) -> None:
        """So many messages are due since the start: send what `depth` lets it."""
        if self.is_open:
            self._due = due
            in_flight = self._written - self._complete
            if (count := min(due - self._written, self._depth - in_flight)) > 0:
                self._written += count
                self._write(self._next(count))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        now = perf_counter()
        for _ in range(self._check(data)):
            self._record(now - self._first - self._complete * self._interval)
            self._complete += 1
        self.send_due(self._due)
