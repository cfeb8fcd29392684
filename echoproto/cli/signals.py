"""What the signals do that end a program: SIGHUP, SIGINT, SIGQUIT and SIGTERM.

A signal that was ignored when the program started stays ignored: `nohup` relies on that for SIGHUP,
and a shell's background jobs for SIGINT and SIGQUIT. For the other signals there are two times:

- While a command runs on its event loop (`Handlers`), a signal cancels the command, so that it can
  leave the terminal as it was. A second signal ends the program at once, also while something keeps
  the event loop busy: a regular expression that takes for ever.
- At all other times (`end_at_once`), there is nothing to clean up, and the program ends at once.

In both cases, the exit status is 128 plus the number of the signal, as a shell shows it.

This module is imported before anything else of the command line, because Ctrl-C must not print a
traceback while Python imports the rest. Therefore it imports only what Python has in memory anyway.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # as in `echoproto`, without the import of typing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Final

_ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def end_at_once() -> None:
    """Let each signal end the program at once, without a message."""
    for number in _not_ignored():
        signal.signal(number, lambda number, _: os._exit(128 + number))


class Handlers:
    """Let each signal call `stop` with its number during the block, in the running `loop`."""

    # A class, because the import of contextlib takes longer than that of everything else here.

    def __init__(self, stop: Callable[[int], object], loop: asyncio.AbstractEventLoop) -> None:
        self._stop, self._loop = stop, loop
        self._numbers = _not_ignored()
        self._has_received = False

    def __enter__(self) -> None:
        for number in self._numbers:
            # asyncio handles only SIGINT by itself, and can miss it just before the loop sleeps.
            self._loop.add_signal_handler(number, self._stop, number)
            # The loop takes the signal from a descriptor, and only when it comes to that. What is
            # set here, Python calls soon.
            signal.signal(number, self._receive)

    def _receive(self, number: int, _: object) -> None:
        if self._has_received:
            os._exit(128 + number)
        self._has_received = True

    def __exit__(self, *_: object) -> None:
        # A signal between removing one handler and setting the next would have Python's own effect.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        for number in self._numbers:
            self._loop.remove_signal_handler(number)
        end_at_once()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _not_ignored() -> list[signal.Signals]:
    return [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
