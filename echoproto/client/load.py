"""Puts load on one connection and checks every byte of the echo: `ClosedLoop` and `OpenLoop`.

All connections send the same long text of random letters and digits again and again, cut into
messages of one size. Each connection starts at a different position. Therefore the next bytes to
arrive on a connection are always a slice of that text, and one comparison in C checks them. The
comparison fails if a byte is missing, changed or doubled, or belongs to another connection.

- In a closed loop, `depth` messages are in flight. A message is sent for each one that comes back.
- In an open loop, messages are due at a fixed rate, whatever the server does. If `depth` messages
  are in flight, a message that is due waits, and its latency counts from the time when it was due.
  Otherwise a slow answer would delay exactly those messages that would have shown how slow the
  server is ("coordinated omission").

`bench` runs the load. `latency` records the times.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from operator import ne
from random import Random
from time import perf_counter
from typing import Final, cast

from echoproto.client.latency import Latencies
from echoproto.client.network_errors import reason

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
_CYCLE: Final = 64 * 1024  # bytes of text before it repeats: they stay in a CPU's cache
_MIN_MESSAGES: Final = 7  # in the text, even if messages are long
_STRIDE: Final = 619  # messages between the start positions of two connections
_SHOWN: Final = 16  # bytes to show of the first difference


@dataclass(frozen=True)
class Load:
    """The load to put on a server.

    `depth` is the maximum number of messages in flight on each connection. `size` is that of a
    message in bytes, including `line_end`. `rate` is in messages per second, on all connections
    together; None selects a closed loop. `duration` is in seconds.
    """

    connections: int = 50
    depth: int = 1
    size: int = 64
    line_end: bytes = b"\n"
    rate: float | None = None
    duration: float = 10.0

    @property
    def in_flight(self) -> int:
        """Maximum number of bytes in flight, on all connections together."""
        return self.connections * self.depth * self.size

    @property
    def messages(self) -> int:
        """Number of messages in the text before it repeats."""
        return max(_MIN_MESSAGES, _CYCLE // self.size)

    @property
    def text_size(self) -> int:
        """Size of the text in bytes: long enough that all in flight is one slice, at any start."""
        cycle = self.messages * self.size
        return cycle * (1 + -(-self.depth * self.size // cycle))


class Text:
    """The text that all connections send: `cycle` bytes of messages, again and again."""

    def __init__(self, load: Load) -> None:
        self._size, self._messages = load.size, load.messages
        self.cycle = self._size * self._messages
        letters = Random(0).randbytes(self.cycle).translate(_ALPHABET * 4)  # noqa: S311
        body = load.size - len(load.line_end)
        text = b"".join(letters[at : at + body] + load.line_end for at in self._places())
        self.bytes = text * (load.text_size // self.cycle)

    def start(self, number: int) -> int:
        """Return the position at which connection `number` starts."""
        return self._places()[number * _STRIDE % self._messages]

    def _places(self) -> range:
        return range(0, self.cycle, self._size)


@dataclass
class Tally:
    """The latencies, errors and wrong bytes of all connections together."""

    latencies: Latencies = field(default_factory=Latencies)
    errors: Counter[str] = field(default_factory=Counter)
    wrong_bytes: int = 0
    first_wrong: tuple[int, int, bytes, bytes] | None = None
    """Connection number, offset in its received bytes, expected bytes, received bytes."""


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Return the address of the server, with its zone if it has one; empty on a Unix socket."""
    match transport.get_extra_info("peername"):
        case [host, _, _, zone] if zone and "%" not in host:
            return f"{host}%{zone}"
        case [host, *_]:
            return str(host)
    return ""


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
        self._deadline = 0.0  # time from which nothing more is sent
        self._start = self._place = text.start(number)  # position of the next byte to send
        self._in_flight = 0  # bytes that were given to the transport
        self._left = 0  # bytes that the transport still had when the connection was lost
        self._part = 0  # bytes received of a message that is not complete yet
        self._batches: deque[tuple[float, int]] = deque()  # (time of sending, number of messages)
        # If everything in flight was sent in one write: those bytes, and the time of the write.
        self._expected: bytes | None = None
        self._expected_since = 0.0

    @property
    def peer(self) -> str:
        """Address of the server, with its zone if it has one; empty on a Unix socket."""
        return peer_of(self._transport)

    @property
    def received(self) -> int:
        """Number of bytes that have come back."""
        return self._place - self._start - self._in_flight

    @property
    def missing(self) -> int:
        """Number of bytes that were sent and have not come back."""
        return self._in_flight - min(self._in_flight, self._buffered())

    @property
    def unsent(self) -> int:
        """Number of bytes that should have been sent, and have not left the program."""
        return min(self._in_flight, self._buffered())

    def _buffered(self) -> int:
        return self._transport.get_write_buffer_size() if self.is_open else self._left

    def begin(self, deadline: float) -> None:
        """Send the first messages. Send no more after `deadline`, a time of perf_counter."""
        if self.is_open:
            self._deadline = deadline
            self._send(self._depth, perf_counter())

    def end(self) -> None:
        """Stop sending."""
        self._deadline = 0.0

    def close(self) -> None:
        """Close the connection. `is_closed` becomes True when it is closed."""
        self.is_open = False
        self._transport.close()

    def abort(self) -> None:
        """Abort the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.set_write_buffer_limits(0)  # makes uvloop write at once, as asyncio does
        self._write = self._transport.write
        self.is_open = True

    def eof_received(self) -> None:
        """See asyncio.Protocol. asyncio closes the transport after this: nothing may be written."""
        self._lost("closed by the server")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.is_closed = True
        self._lost(reason(exc) if exc else "closed by the server")

    def _lost(self, why: str) -> None:
        if self.is_open:
            self._left = self._buffered()
            self.is_open = False
            self._tally.errors[why] += 1

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        now = perf_counter()
        if data == self._expected and now < self._deadline:
            # The case that must be fast: this is what the methods below do, in one place.
            self._record_all(now - self._expected_since)
            self._expected_since = now
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
        """Check the received bytes. Return the number of messages that they complete."""
        if self._expected is not None:
            self._expected = None
            self._batches[0] = self._expected_since, self._depth
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
            self._expected, self._expected_since = messages, now
        self._write(messages)

    def _next(self, count: int) -> bytes:
        """Return the next `count` messages to send, and count them as in flight."""
        at = self._place % self._cycle
        messages = self._text[at : at + count * self._size]
        self._place += len(messages)
        self._in_flight += len(messages)
        return messages


class OpenLoop(ClosedLoop):
    """A connection on which messages become due at a fixed rate."""

    _due = _written = _complete = 0  # messages

    def schedule(self, first: float, interval: float) -> None:
        """Set when the first message is due, and the interval between messages, in seconds."""
        self._first, self._interval = first, interval

    @property
    def unsent(self) -> int:
        """Number of bytes that should have been sent: see ClosedLoop, and what is due."""
        return super().unsent + (self._due - self._written) * self._size

    def send_due(self, due: int) -> None:
        """Set how many messages are due since the start, and send as many as `depth` allows."""
        self._due = due
        if self.is_open:
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
