"""The terminal as prompt_toolkit's output: without requests that it answers late, and measured.

`screen` uses this module. `pace` and `styles` are below it.
"""

from __future__ import annotations

import io
import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Final, TextIO, cast

from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from echoproto.shell.styles import limit_colours

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

    from echoproto.shell.pace import Pace

SLICE: Final = 1024
"""Number of bytes that are written, and timed, at once."""


class PacedStream(io.TextIOBase):
    """Writes to the descriptor of `stream`, and tells `pace` how long that takes."""

    def __init__(self, stream: TextIO, pace: Pace) -> None:
        self._stream, self._pace = stream, pace

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute
        """The encoding of the terminal."""
        return self._stream.encoding or "utf-8"

    def fileno(self) -> int:
        """Return the descriptor of the terminal."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Write `text`, with "?" for what the terminal cannot show."""
        data = memoryview(text.encode(self.encoding, "replace"))
        while data:
            start = monotonic()
            written = os.write(self.fileno(), data[:SLICE])
            now = monotonic()
            self._pace.wrote(written, now - start, now)
            data = data[written:]
        return len(text)


def open_terminal(pace: Pace) -> Output:
    """Return the terminal on standard output as an output, whose writes `pace` notes."""
    output = create_output(cast("TextIO", PacedStream(sys.stdout, pace)))
    if isinstance(output, Vt100_Output):
        # The shell does not need the position of the cursor. If the terminal answered such a
        # request late, its answer would be taken for typed keys.
        output.enable_cpr = False
        limit_colours(output)
    return output
