"""`LineLog`: logs the lines that a client sends, for `--log-lines`.

The rules:

- A line is quoted as Python quotes bytes, so that it cannot forge a line of the log.
- Bytes without a line end are logged too: a second after they came, or when the client ends. What
  follows them begins with `...` in the log. Each byte is logged once.
- A client cannot flood the log. There is a budget for each connection and one for the server. The
  lines beyond it are counted, and one line says how many. To count one costs next to nothing.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from echoproto.server.log import info

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from echoproto.server.protocol import LineProtocol

CONNECTION_LINES: Final = 100
"""Number of lines of one connection that are logged in a second."""

SERVER_LINES: Final = 1000
"""Number of lines of all connections together that are logged in a second."""

LINE_SIZE: Final = 1024
"""Number of bytes that count as one line more. A line of 3,000 bytes counts as three lines."""

PATIENCE: Final = 1.0
"""Seconds after which bytes are logged without their line end, or a number of lines is."""

_START: Final = 32  # bytes to log of a line that is too long


class Budget:
    """A number of lines that may be logged in each second."""

    __slots__ = ("_left", "_limit", "_second")

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit
        self._second = 0.0

    def take(self, now: float, count: int = 1) -> bool:
        """Take `count` lines; return False if there are none left in this second."""
        if now - self._second >= 1.0:
            self._second, self._left = now, self._limit
        if self._left <= 0:
            return False
        self._left -= count
        return True


_server = Budget(SERVER_LINES)


class LineLog:
    """Logs the lines of `protocol`, which calls `line`, `too_long`, `unfinished` and `end`."""

    __slots__ = ("_budget", "_continued", "_protocol", "_since", "_skipped", "_timer")

    def __init__(self, protocol: LineProtocol) -> None:
        self._protocol = protocol
        self._budget = Budget(CONNECTION_LINES)
        self._continued = False  # the start of the line is logged already
        self._skipped = 0  # lines that were not logged; the budget is spent unless this is 0
        self._since = 0.0  # when the first of them came
        self._timer: IDelayedCall | None = None

    def line(self, line: bytes) -> None:
        """Log a line."""
        if self._skipped:
            self._skipped += 1
        elif self._may_log(len(line)):
            self._log(repr(line), line=line)

    def too_long(self, line: bytes) -> None:
        """Log the start of a line that is too long."""
        if self._skipped:
            self._skipped += 1
        elif self._may_log(_START):
            limit, start = self._protocol.MAX_LENGTH, line[:_START]
            self._continued = False
            self._log(f"a line of more than {limit} bytes: {start!r}...", max=limit, start=start)

    def unfinished(self) -> None:
        """Take note that bytes without a line end have arrived."""
        if self._timer is None:
            self._schedule()

    def end(self) -> None:
        """Log what is left, because the client has ended. May be called again."""
        self._take_unfinished()
        if self._skipped:
            self._log_skipped(monotonic())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _may_log(self, size: int) -> bool:
        now, count = monotonic(), 1 + size // LINE_SIZE
        if self._budget.take(now, count) and _server.take(now, count):
            return True
        self._skipped, self._since, self._continued = 1, now, False
        if self._timer is None:
            self._schedule()
        return False

    def _schedule(self) -> None:
        # The transports that tests use have no clock.
        clock: IReactorTime | None = getattr(self._protocol.transport, "clock", None)
        if clock is not None:
            self._timer = clock.callLater(PATIENCE, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        now = monotonic()
        if self._skipped:
            # The timer may be older than the first line that was skipped.
            if now - self._since < PATIENCE / 2 or not _server.take(now):
                self._schedule()
                return
            self._log_skipped(now)
        if self._protocol.paused:
            self._schedule()  # complete lines may be pending
        else:
            self._take_unfinished()

    def _take_unfinished(self) -> None:
        """Take and log the bytes that have arrived of an unfinished line."""
        rest = self._protocol.clearLineBuffer()
        if rest and self._skipped:
            self._skipped += 1
        elif rest and self._may_log(len(rest)):
            count = f"{len(rest):,} byte{'s' * (len(rest) != 1)}"
            self._log(f"{rest!r} ({count} without a line end)", line=rest)
            self._continued = True

    def _log_skipped(self, now: float) -> None:
        count, seconds, self._skipped = self._skipped, round(now - self._since), 0
        when = f"{seconds} seconds" if seconds > 1 else "second"
        number = self._protocol.transport.number
        info(f"[{number}] {count:,} more line{'s' * (count != 1)} in the last {when}", id=number)

    def _log(self, text: str, **fields: object) -> None:
        number = self._protocol.transport.number
        dots = "..." if self._continued else ""
        self._continued = False
        info(f"[{number}] {dots}{text}", id=number, **fields)
