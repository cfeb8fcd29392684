"""Records latencies, hundreds of thousands a second, and returns them as percentiles.

Recording must cost as little as possible, so the work is done in three steps:

- `record` is the `append` of a list, which is the cheapest operation for this in Python.
- `gather` rounds the recorded times to half-precision floats (to 0.05 %, and to 60 ns at best). Few
  different values remain, so it counts them. Both run in C.
- An HdrHistogram (three digits, 1 ns to 27 hours) is built from the counts and returns the
  percentiles.

`load` and `bench` use this module.
"""

from __future__ import annotations

from collections import Counter
from struct import pack, unpack
from typing import TYPE_CHECKING, Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LATENCY: Final = 65_504.0
"""Longest time that can be recorded, in seconds: the largest half-precision float."""

PERCENTILES: Final = (50, 75, 90, 99, 99.9, 99.99)

_NANOSECOND: Final = 1e-9
_MAX_NANOSECONDS: Final = 10**14  # nanoseconds; more than MAX_LATENCY
_DIGITS: Final = 3
_TICKS: Final = 10  # points of the curve from 0 to 50 %, from 50 to 75 %, from 75 to 87.5 %, ...


class Latencies:
    """A collection of times, each from 0 to MAX_LATENCY seconds."""

    def __init__(self) -> None:
        self.count = 0
        """Number of times that have been gathered."""
        self._recorded: list[float] = []
        self._counts: Counter[int] = Counter()  # the keys are the bits of half-precision floats
        self.record: Callable[[float], None] = self._recorded.append
        """Record one time, in seconds."""

    def record_many(self, seconds: float, count: int) -> None:
        """Record the same time `count` times."""
        self._counts[unpack("H", pack("e", seconds))[0]] += count
        self.count += count

    def gather(self) -> None:
        """Count the recorded times. Call this regularly, to limit the memory that they take."""
        recorded = self._recorded
        self._counts.update(memoryview(pack(f"{len(recorded)}e", *recorded)).cast("H"))
        self.count += len(recorded)
        recorded.clear()

    def summary(self) -> dict[str, float | None]:
        """Return the mean, min, percentiles and max in seconds, by name.

        All values are None if nothing was recorded.
        """
        histogram = self._histogram()
        found = histogram.get_percentile_to_value_dict(PERCENTILES) if self.count else {}
        values = {
            "mean": histogram.get_mean_value(),
            "min": histogram.get_min_value(),
            **{f"p{percentile}": found.get(percentile) for percentile in PERCENTILES},
            "max": histogram.get_max_value(),
        }
        return {name: value * _NANOSECOND if self.count else None for name, value in values.items()}

    def curve(self) -> list[tuple[float, float]]:
        """Return the distribution as points of (percentile, seconds), closer towards 100 %.

        At each point, that percentage of all times is not longer than that number of seconds.
        """
        histogram = self._histogram()
        points = histogram.get_percentile_iterator(_TICKS) if self.count else ()
        return [
            (at.percentile_level_iterated_to, at.value_iterated_to * _NANOSECOND) for at in points
        ]

    def _histogram(self) -> HdrHistogram:
        self.gather()
        histogram = HdrHistogram(1, _MAX_NANOSECONDS, _DIGITS)
        for half, count in self._counts.items():
            (seconds,) = unpack("e", pack("H", half))
            histogram.record_value(max(1, round(seconds / _NANOSECOND)), count)
        return histogram
