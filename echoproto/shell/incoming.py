"""What the peer of one connection has sent: lines, and the start of a line that has no end yet.

When nothing has followed that start for a while, it is settled: it is a prompt, which the user
answers in the same line, or a line whose end is missing. `prompts` guesses which, unless the peer
marks its prompts (telnet's GA or EOR).

`session` uses this module. `lines` and `prompts` are below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from echoproto.shell.lines import PlainLines, TerminalLines
from echoproto.shell.prompts import asks_for_secret, is_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from echoproto.shell.lines import Lines


class Incoming:
    """What has come on a connection. With `is_telnet`, the peer writes to a terminal.

    `start` is the settled start of a line, or empty. `is_prompt` is whether that is a prompt.
    `is_marked` is whether the peer has marked the end of a prompt, whose last bytes may follow.
    """

    def __init__(self, *, is_telnet: bool) -> None:
        self._lines: Lines = TerminalLines() if is_telnet else PlainLines()
        self.start = b""
        self.is_prompt = self.is_marked = False

    @property
    def line(self) -> bytes:
        """The start of a line, settled or not."""
        return self._lines.start

    @property
    def cursor(self) -> int:
        """The column of the peer's cursor in `line`, in cells."""
        return self._lines.cursor

    @property
    def below(self) -> Sequence[bytes]:
        """The rows below `line` that the peer has drawn."""
        return self._lines.below

    def feed(self, data: bytes) -> list[bytes]:
        """Add received `data`. Return the lines that are complete."""
        return self._ended(self._lines.feed(data))

    def release(self) -> list[bytes]:
        """Return complete lines that were held back because the peer might change them."""
        return self._ended(self._lines.release())

    def _ended(self, lines: list[bytes]) -> list[bytes]:
        """Return `lines`. What was the start of a line is not the start any more, if there are."""
        if lines:
            self.start = b""
        return lines

    def settle(self) -> None:
        """Handle that nothing has followed the start of a line for a while."""
        line = self._lines.start
        was_prompt = self.is_prompt and line == self.start
        self.start, self.is_prompt = line, was_prompt or self.is_marked or is_prompt(line)

    def take(self) -> bytes:
        """Return the start of a line and remove it: the next byte begins a new line."""
        self.start = b""
        return self._lines.take()

    def asks_for_secret(self, *, is_settled: bool) -> bool:
        """Whether the start of a line asks for a password or another secret."""
        return asks_for_secret(self.start if is_settled else self._lines.start)

    def begin_telnet(self) -> None:
        """Read what the peer sends as a terminal does, from now on."""
        start = self._lines.take()
        self._lines = TerminalLines()
        self._lines.feed(start)
