"""Measures how long the client's own event loop stands still while it measures a server.

While it does (the system runs other programs, or the loop has much to do), no answer is read, and
the latencies that it then records are its own rather than the server's. A timer that is due
regularly shows it by being late.

`bench` uses this module.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

INTERVAL: Final = 0.005
"""Seconds between two looks at the clock. A stall is measured to this precision."""


class StallMeter:
    """Watches the running event loop from `start` until `stop`."""

    def __init__(self) -> None:
        self.longest = 0.0
        """The longest time that the loop stood still, in seconds."""

    def start(self) -> None:
        """Start to watch."""
        self._last = perf_counter()
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def stop(self) -> None:
        """Stop, and count a stall that has not ended."""
        self._timer.cancel()
        self._measure()

    def _look(self) -> None:
        self._measure()
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def _measure(self) -> None:
        now = perf_counter()
        self.longest = max(self.longest, now - self._last - INTERVAL)
        self._last = now
