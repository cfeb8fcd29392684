"""Runs through a session without I/O: says what to send, and compares what comes: `Player`.

The rules:

- What comes is compared as a stream of bytes. How it is cut into chunks makes no difference.
- `<` takes exactly its bytes. `<~` takes a line, up to the last byte of its line end; without a
  line end, it takes the shortest beginning of what comes that matches.
- After `<*`, the next expected entry is tried at the start of each line. The lines at which it is
  not found are skipped.
- What comes after the last expected entry is not looked at. `<! close` at the end of a file says
  that nothing more may come.

`session_entries` has the entries. `client.replay` and `client.session_load` are above this module.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from echoproto.wire.session_entries import (
    Anything,
    Expect,
    ExpectClose,
    ExpectData,
    ExpectMatch,
    HalfClose,
    Send,
    SendCommand,
    SessionFile,
    compile_pattern,
)
from echoproto.wire.session_text import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MATCHED: Final = 64 * 1024
"""Largest number of bytes in a line that a regular expression matches."""

MAX_PROMPT: Final = 4096
"""The same, for a regular expression without a line end: each beginning is tried."""

_decoder = getincrementaldecoder("utf-8")


class SendData(NamedTuple):
    """Send `data` now."""

    data: bytes
    entry: Send


class Waiting(NamedTuple):
    """More must come before the session goes on."""

    entry: Expect


class Differs(NamedTuple):
    """What has come is not what `entry` expects."""

    entry: Expect


Step: TypeAlias = SendData | SendCommand | HalfClose | Waiting | Differs | None


class Player:
    """One run through `session`. `values` are the values of variables that the user gives.

    Call `step` until it returns `Waiting`, `Differs` or None, and again after `receive` or `eof`.
    """

    def __init__(self, session: SessionFile, values: Mapping[str, bytes]) -> None:
        self._given = {**session.variables, **values}
        self.values = dict(self._given)
        """The values of the variables. Regular expressions add to them."""
        self.has_ended = False
        """Whether the server has closed or half-closed the connection."""
        self._entries = session.entries
        self._next = 0  # index of the next entry
        self._buffer = bytearray()  # what has come and was not taken
        self._skipping: Anything | None = None  # lines may be skipped
        self._in_line = False  # the rest of a line is to be skipped
        self._skipped = b""  # the start of the last line that was skipped

    def restart(self) -> None:
        """Begin again on the same connection. What has come and was not taken stays."""
        self._next = 0
        self.values = dict(self._given)

    def receive(self, data: bytes) -> None:
        """Take data that has come."""
        self._buffer += data

    def eof(self) -> None:
        """Take note that the server has closed or half-closed the connection."""
        self.has_ended = True

    @property
    def buffered(self) -> int:
        """Number of bytes that have come and were not taken."""
        return len(self._buffer)

    @property
    def got(self) -> bytes:
        """What has come where something else was expected: up to the end of the line."""
        line, newline, _ = (bytes(self._buffer) or self._skipped).partition(b"\n")
        return line + newline

    def step(self) -> Step:
        """Return what comes next: something to send, `Waiting`, `Differs`, or None at the end."""
        while self._next < len(self._entries):
            entry = self._entries[self._next]
            if isinstance(entry, Anything):
                self._skipping = entry
            elif isinstance(entry, Expect):
                found = self._find(entry)
                if not found:
                    is_late = found is None and not self.has_ended
                    return Waiting(entry) if is_late else Differs(entry)
                self._skipping, self._in_line, self._skipped = None, False, b""
            self._next += 1
            match entry:
                case Send():
                    return SendData(fill(entry.data, self.values), entry)
                case SendCommand() | HalfClose():
                    return entry
                case Anything() | Expect():
                    continue
            raise TypeError(entry)
        return None

    def _find(self, entry: Expect) -> bool | None:
        """Take what `entry` expects. Return whether it has come, or None if it still may."""
        while True:
            if not self._in_line:
                found = self._take(entry)
                if found is not False or self._skipping is None:
                    return found
            if not self._skip_line():
                return None

    def _skip_line(self) -> bool:
        """Skip what has come of the first line. Return whether that was all of the line."""
        line_end = self._skipping.line_end[-1:] if self._skipping else b""
        end = self._buffer.find(line_end or b"\n") + 1
        line = self._take_bytes(end or len(self._buffer))
        self._skipped = (self._skipped + line if self._in_line else line)[:MAX_PROMPT]
        self._in_line = not end and not self.has_ended
        return not self._in_line

    def _take(self, entry: Expect) -> bool | None:
        """Take what `entry` expects from the start of what has come. Return as `_find` does."""
        match entry:
            case ExpectData(data=data):
                return self._take_data(fill(data, self.values))
            case ExpectMatch(is_prompt=True):
                return self._take_prompt(entry)
            case ExpectMatch():
                return self._take_line(entry)
            case ExpectClose():
                return False if self._buffer else self.has_ended or None
        raise TypeError(entry)

    def _take_bytes(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _take_data(self, data: bytes) -> bool | None:
        if self._buffer.startswith(data):
            self._take_bytes(len(data))
            return True
        return None if data.startswith(self._buffer) else False

    def _take_line(self, entry: ExpectMatch) -> bool | None:
        end = self._buffer.find(entry.line_end[-1:], 0, MAX_MATCHED) + 1
        if not end:
            return None if len(self._buffer) < MAX_MATCHED else False
        line = self._buffer[:end]
        if not line.endswith(entry.line_end):
            return False
        text = line.removesuffix(entry.line_end).decode("utf-8", "surrogateescape")
        return self._matches(entry, text, end)

    def _take_prompt(self, entry: ExpectMatch) -> bool | None:
        """Take the shortest beginning that matches. It does not end inside a character."""
        decoder, text = _decoder("surrogateescape"), ""
        for at in range(min(len(self._buffer), MAX_PROMPT)):
            more = decoder.decode(self._buffer[at : at + 1])
            text += more
            if more and self._matches(entry, text, at + 1):
                return True
            if more == "\n":
                return False
        return None if len(self._buffer) < MAX_PROMPT else False

    def _matches(self, entry: ExpectMatch, text: str, size: int) -> bool:
        """Take `size` bytes, which are `text`, if they match. Return whether they do."""
        found = compile_pattern(entry.pattern, self.values).fullmatch(text)
        if found is None:
            return False
        self._take_bytes(size)
        for name, value in found.groupdict().items():
            if value is not None:
                self.values[name] = value.encode("utf-8", "surrogateescape")
        return True
