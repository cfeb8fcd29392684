"""Tells the user that connecting takes time, and which address it has come to.

A connection that opens in a moment needs no notice. `cli.piping` and the shell show a `Notice`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.client.target import Target

DELAY: Final = 0.5
"""Seconds after which connecting takes long enough to be told."""

_ERASE: Final = "\r\x1b[K"


class Notice:
    """A text about connecting to `target`, as a context manager for the time that it takes.

    `show` is called with the text as soon as that time exceeds `DELAY`, with each new text after
    that, and with "" at the end. `is_waiting` says that the port may be opened later.
    """

    def __init__(
        self, target: Target, show: Callable[[str], object], *, is_waiting: bool = False
    ) -> None:
        doing = "Waiting for" if is_waiting else "Connecting to"
        self._text = self._beginning = f"{doing} {target.name} ..."
        self._host, self._show = target.host, show
        self._is_shown = False

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(DELAY, self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._is_shown:
            self._show("")

    def attempt(self, address: str, number: int, count: int) -> None:
        """Tell about an attempt: see `opening.OnAttempt`."""
        of = f"address {number} of {count}, {address}" if count > 1 else address
        self._text = self._beginning + (f" ({of})" if of != self._host else "")
        if self._is_shown:
            self._show(self._text)

    def _begin(self) -> None:
        self._is_shown = True
        self._show(self._text)


def show_on(stream: TextIO) -> Callable[[str], object]:
    """Return a function that shows a text in the current line of a terminal, and "" erases it.

    The function does nothing if `stream` is not a terminal that can erase a line.
    """

    def show(text: str) -> None:
        columns = shutil.get_terminal_size().columns
        stream.write(f"{_ERASE}{text[: columns - 1]}")  # a wrapped line could not be erased
        stream.flush()

    can_erase = stream.isatty() and os.environ.get("TERM") != "dumb"
    return show if can_erase else lambda _: None
