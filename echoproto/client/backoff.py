"""How long to wait before connecting again: exponential backoff with full jitter.

Each wait is a random time up to a limit that doubles. So a server that was restarted does not meet
all of its clients at the same moment, whatever their number ("Exponential Backoff And Jitter", AWS
Architecture Blog, 2015).

The shell's `connector` uses this module.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST: Final = 0.5
"""The limit of the first wait, in seconds."""

MOST: Final = 30.0
"""The limit that no wait exceeds, in seconds."""


class Backoff:
    """The waits between attempts. `uniform` returns a random number between two others."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self.reset()

    def reset(self) -> None:
        """Begin with short waits again, because an attempt has succeeded."""
        self._limit = FIRST

    def next(self) -> float:
        """Return the seconds to wait before the next attempt."""
        limit = self._limit
        self._limit = min(2 * limit, MOST)
        return self._uniform(0, limit)
