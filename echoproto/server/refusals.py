"""`Refusals`: counts the connections that could not be accepted, and logs them once a minute.

Nobody else reports them: a refused connection never becomes a `ServerConnection`. Twisted's port,
and ours, log each of them, or each attempt: a flood, just when the server has the most to do.
"""

from __future__ import annotations

import errno
import os
import resource
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.logger import LogEvent

INTERVAL: Final = 60.0
"""Seconds between the first refusal and the line about it, which counts all until then."""

REST: Final = 1.0
"""Seconds to wait after an error that would otherwise occur again at once."""

log = Logger("echoproto")


class Refusals:
    """Counts what the ports that it watches refuse. `clock` is the reactor."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()  # by the name of the error
        self._call: IDelayedCall | None = None

    def watch(self, port: Any) -> None:
        """Count what `port` refuses, in place of its own log of that."""
        # Twisted has no public way to it. A port uses this logger for nothing else.
        observer: Any = partial(self._observe, port)
        port._logger = Logger("echoproto", observer=observer)  # noqa: SLF001

    def _observe(self, port: Any, event: LogEvent) -> None:
        error = event.get("acceptError")
        if "address" in event:  # there was no descriptor for this connection: it is closed
            self._count("EMFILE")
        elif error is not None:
            self._count(error)
            if error != "ECONNABORTED":
                port.stopReading()
                self._clock.callLater(REST, _accept_again, port)

    def _count(self, error: str) -> None:
        self._counts[error] += 1
        if self._call is None:
            self._call = self._clock.callLater(INTERVAL, self.report)

    def report(self) -> None:
        """Log what was counted, in one line for each cause. Call this when the service stops."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        for error, count in self._counts.items():
            log.info("{text}", text=_describe(error, count))
        self._counts.clear()


def _accept_again(port: Any) -> None:
    if port.connected and not port.disconnecting:
        port.startReading()


def _describe(error: str, count: int) -> str:
    connections = f"{count} connection{'s' * (count != 1)}"
    if error == "ECONNABORTED":
        return f"{connections} reset by the client before being accepted, in the last minute"
    if error == "EMFILE":
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{connections} refused in the last minute: no file descriptors left "
            f"(limit {limit}); raise it with ulimit -n or LimitNOFILE="
        )
    why = os.strerror(getattr(errno, error))
    return f"accepting failed {count} time{'s' * (count != 1)} in the last minute: {why}"
