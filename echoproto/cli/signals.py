"""What the signals do that end a program: SIGHUP, SIGINT, SIGQUIT and SIGTERM.

A signal that was ignored when the program started stays ignored: `nohup` relies on that for SIGHUP,
and a shell's background jobs for SIGINT and SIGQUIT. For the other signals there are two times:

- While a command runs on its event loop (`call`), a signal cancels the command, so that it can
  leave the terminal as it was.
- At all other times (`end_at_once`), there is nothing to clean up, and the program ends at once.

In both cases, the exit status is 128 plus the number of the signal, as a shell shows it.

This module is imported before anything else of the command line, because Ctrl-C must not print a
traceback while Python imports the rest. Therefore it imports only what Python has in memory anyway.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

TYPE_CHECKING = False  # as in `echoproto`, without the import of typing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from typing import Final

_ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def end_at_once() -> None:
    """Let each signal end the program at once, without a message."""
    for number in _not_ignored():
        signal.signal(number, lambda number, _: os._exit(128 + number))


@contextmanager
def call(stop: Callable[[int], object], loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let each signal call `stop` with its number during the block, in the running `loop`."""
    numbers = _not_ignored()
    for number in numbers:
        # asyncio handles only SIGINT by itself, and can miss it just before the loop goes to sleep.
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        # A signal between removing one handler and setting the next would have Python's own effect.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            loop.remove_signal_handler(number)
        end_at_once()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _not_ignored() -> list[signal.Signals]:
    return [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
