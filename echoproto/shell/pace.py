"""How fast the shell prints what the peer sends: no faster than the terminal shows it.

Before a terminal (or the ssh in front of it) makes a writer wait, it takes many bytes that it does
not show yet. What the user types would be shown behind all of them. Therefore `Pace` finds out how
fast a slow terminal is, and leaves its queue nearly empty:

- A terminal that makes no write wait is fast: each piece of output may be twice the one before.
- When a write has waited, the queue was full. What is written from then until a later write has
  waited is what the terminal has shown meanwhile: its speed. Then there is a rest, in which the
  queue empties. After that, output has most of this speed, and more each second, until writes wait
  again. It grows faster and faster: a fast terminal that only had no CPU is soon fast again.
- After a key, output rests too, and its speed does not grow for some seconds.

`terminal` measures the writes, and `screen` asks for the room. No clock: time is an argument.
"""

from __future__ import annotations

from typing import Final

START: Final = 4 * 1024
"""Size of the first piece, in bytes: less than any terminal's queue."""

MAX_PIECE: Final = 64 * 1024
"""Largest number of bytes to print at once."""

MIN_PIECE: Final = 512

INTERVAL: Final = 0.02
"""Seconds of output in one piece, on a slow terminal."""

WAITED: Final = 0.015
"""Seconds that a write takes at least if it has waited for the terminal.

Linux wakes the writer only when most of a full queue is empty again: 20 KiB, 80 ms at 256 KiB/s.
"""

SAMPLE: Final = 4 * 1024
"""Number of bytes that are written, at least, between the two writes that give the speed."""

MAX_SAMPLE: Final = 32 * 1024
"""Number of bytes after which, if no write has waited, the terminal has become faster."""

GAP: Final = 0.1
"""Seconds without a write after which the queue is no longer taken for full."""

QUEUE: Final = 20 * 1024
"""Number of bytes that a pseudo-terminal of Linux takes before it makes a writer wait."""

MAX_REST: Final = 1.0
"""Seconds that the longest rest takes, for the queue of a very slow terminal."""

KEY_REST: Final = 0.2
"""Seconds without output after a key, on a slow terminal."""

SHARE: Final = 0.8
"""Share of the terminal's speed with which output begins after the rest."""

GROWTH: Final = 0.05
"""By how much of itself the speed of output grows in a second; in the next, by twice as much."""

TYPING: Final = 5.0
"""Seconds after a key in which the speed does not grow."""

MIN_SPEED: Final = 1024.0
"""Smallest speed that is assumed, in bytes a second."""

FAST: Final = 512.0 * 1024
"""Bytes a second from which a terminal is fast."""


class Pace:
    """The pace for one terminal. Times are in seconds, of one clock."""

    def __init__(self) -> None:
        self._piece = START
        self._speed: float | None = None  # for a slow terminal, in bytes a second
        self._growth = GROWTH
        self._pressed_at = -TYPING
        self._next_at = 0.0
        self._waited_at: float | None = None  # when a write last waited, while measuring
        self._since = 0  # bytes written since then
        self._wrote_at = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether the terminal has made the shell wait."""
        return self._speed is not None

    def wrote(self, size: int, seconds: float, now: float) -> None:
        """Note that a write of `size` bytes took `seconds`, until `now`."""
        if self._waited_at is not None and now - seconds - self._wrote_at > GAP:
            self._waited_at = None
        self._wrote_at = now
        self._since += size
        waited = seconds >= WAITED
        if self._waited_at is None and waited and now >= self._next_at:  # not in a rest
            self._waited_at, self._since = now, 0
        elif self._waited_at is not None:
            if waited and self._since >= SAMPLE:
                self._set_speed(self._since / (now - self._waited_at), now)
            elif self._since >= MAX_SAMPLE:
                self._waited_at = None
        elif self._speed:
            self._next_at = max(self._next_at, now) + size / self._speed
            if now >= self._pressed_at + TYPING:
                shown_in = size / self._speed
                self._speed += self._growth * size
                self._growth *= 2**shown_in
            if self._speed >= FAST:
                self._speed = None

    def _set_speed(self, speed: float, now: float) -> None:
        """Print with `speed` from now on, after a rest."""
        self._waited_at = None
        speed = max(speed, MIN_SPEED)
        self._speed, self._growth = SHARE * speed, GROWTH
        self._next_at = now + min(QUEUE / speed, MAX_REST)
        self._piece = START

    def pressed(self, now: float) -> None:
        """Note that the user has pressed a key."""
        self._pressed_at, self._growth = now, GROWTH
        if self.is_slow:
            self._next_at = max(self._next_at, now + KEY_REST)

    def delay(self, now: float) -> float:
        """Return the seconds until the next piece may be printed."""
        is_paced = self.is_slow and self._waited_at is None
        return max(0.0, self._next_at - now) if is_paced else 0.0

    def take(self) -> int:
        """Return the number of bytes that the next piece may have."""
        if self._waited_at is not None:
            return SAMPLE
        if self._speed:
            return int(min(max(self._speed * INTERVAL, MIN_PIECE), MAX_PIECE))
        piece, self._piece = self._piece, min(2 * self._piece, MAX_PIECE)
        return piece
