r"""Writes a session file while the session goes on: `Recorder`.

The rules:

- The lines do not depend on how the data is cut into chunks: neither what was sent nor what came. A
  line is written when it is complete, or when the other side has its turn. A line of more than
  MAX_LINE bytes is written in pieces.
- The usual line end of each direction is that of its first line, if that is LF or CR LF. All other
  line ends are written out.
- A time (`@`) is written where the other side begins, and after a pause of PAUSE seconds.
- What is secret is never written. The line `> ${secret}` stands for it, and `${secret}` replaces it
  wherever it appears later. What comes while a secret line is typed, such as a `*` for each key, is
  left out: `<*` stands for it.

`session_file` defines the format and reads it. The shell and the pipe use this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from echoproto.wire.dump import escape
from echoproto.wire.framing import LINE_ENDS
from echoproto.wire.session_file import CLOSE, COMMANDS, HALF_CLOSE, VERSION_LINE
from echoproto.wire.session_text import write_line
from echoproto.wire.telnet.commands import Command

if TYPE_CHECKING:
    from echoproto.wire.telnet.scanner import TelnetMode

MAX_LINE: Final = 1024
"""Largest number of bytes that are written as one line of the file."""

PAUSE: Final = 1.0
"""Seconds after which a line of the same direction has a time of its own."""

_NAMES: Final = {line_end: name for name, line_end in LINE_ENDS.items()}
_ENDS: Final = {end: re.compile(b"[\n%s]" % re.escape(end[-1:])) for end in _NAMES}
"""What ends a line of the file, by the usual line end: its last byte, and LF."""

_DETECTED: Final = (LINE_ENDS["crlf"], LINE_ENDS["lf"])
_SECRET_END: Final = re.compile(rb"\r\n|\r\0|\r|\n|\0")
_CONTINUATION: Final = range(0x80, 0xC0)  # bytes inside a character of UTF-8
_MAX_CONTINUATIONS: Final = 3


@dataclass
class _Direction:
    """One direction of the session: the marker of its lines, and the state of its last line."""

    marker: str
    line_end: bytes
    is_detected: bool = False  # `line_end` is that of the first line
    pending: bytes = b""  # the start of a line
    time: float = 0.0  # when that start was sent or came


class Recorder:
    """A recorder of one session.

    `target` is where the session is connected to, `telnet` its telnet mode, and `line_end` the line
    end that the user sends; all three are written by `header`. `began` is the time of the start.
    All times are in seconds, of any one clock.

    Each method returns the text to append to the file; it may be empty.
    """

    def __init__(
        self,
        *,
        target: str = "",
        telnet: TelnetMode | None = None,
        line_end: bytes = b"\r\n",
        began: float = 0.0,
    ) -> None:
        self._target, self._telnet, self._began = target, telnet, began
        self._sent = _Direction(">", line_end, line_end not in _DETECTED)
        self._received = _Direction("<", line_end if line_end in _DETECTED else b"\r\n")
        self._last: _Direction | None = None  # the direction of the last line
        self._last_time = began
        self._secret = b""  # the start of a secret line
        self._hidden = False  # something came while that line was typed
        self._secrets: dict[bytes, str] = {}  # each secret, and the variable that stands for it

    def header(self, comment: str = "") -> str:
        """Return the first lines of the file. `comment` is one line of text about the session."""
        lines = [VERSION_LINE]
        if comment:
            lines.append(_comment(comment))
        if self._target:
            lines.append(f"target {self._target}")
        if self._telnet:
            lines.append(f"telnet {self._telnet}")
        sent, received = _NAMES[self._sent.line_end], _NAMES[self._received.line_end]
        if sent == received:
            lines.append(f"eol {sent}")
        else:
            lines += [f"eol > {sent}", f"eol < {received}"]
        return "".join(f"{line}\n" for line in lines)

    def sent(self, data: bytes, time: float, *, secret: bool = False) -> str:
        """Record `data` that was sent. If it is `secret`, a variable is written in its place."""
        if not secret:
            return self._end_secret(time) + self._take(self._sent, data, time)
        text = ""
        self._secret += data
        while end := _SECRET_END.search(self._secret):
            line, self._secret = self._secret[: end.start()], self._secret[end.end() :]
            text += self._write_secret(line, end[0], time)
        return text

    def received(self, data: bytes, time: float) -> str:
        """Record `data` that came."""
        if self._secret:
            self._hidden |= bool(data)
            return ""
        return self._take(self._received, data, time)

    def command(self, command: int, time: float) -> str:
        """Record a telnet command that was sent."""
        name = Command(command).name if command in COMMANDS.values() else ""
        if not name:
            return self.comment(f"telnet command {command} was sent")
        return self._end_secret(time) + self._event(self._sent, name, time)

    def sent_eof(self, time: float) -> str:
        """Record that our side has ended."""
        return self._end_secret(time) + self._event(self._sent, HALF_CLOSE, time)

    def received_eof(self, time: float) -> str:
        """Record that the server has closed or half-closed the connection."""
        return self._end_secret(time) + self._event(self._received, CLOSE, time)

    def comment(self, text: str) -> str:
        """Write one line of text about the session; for example, a negotiation of telnet."""
        return self.flush() + f"{_comment(text)}\n"

    def flush(self) -> str:
        """Return what has been recorded and not been written: a line that is not complete yet.

        Call this at the end. (Also during the session, the file stays right: what follows of the
        line is written as a line of its own.)
        """
        return self._end_secret(self._last_time) + self._flush(self._sent, self._received)

    def _take(self, direction: _Direction, data: bytes, time: float) -> str:
        """Return the lines of `data` that are complete; keep the rest."""
        if not data:
            return ""
        text = self._flush(self._received if direction is self._sent else self._sent)
        if not direction.pending:
            direction.time = time
        data, at = direction.pending + data, 0
        while end := self._find_end(direction, data, at):
            text += self._write(direction, data[at:end], direction.time)
            direction.time, at = time, end
        direction.pending = data[at:]
        return text

    def _find_end(self, direction: _Direction, data: bytes, start: int) -> int:
        """Return where the line that begins at `start` ends, or 0 if it is not complete."""
        if found := _ENDS[direction.line_end].search(data, start, start + MAX_LINE):
            return found.end()
        if len(data) - start <= MAX_LINE:
            return 0
        end = start + MAX_LINE
        for _ in range(_MAX_CONTINUATIONS):
            if data[end] in _CONTINUATION:
                end -= 1
        return end

    def _write(self, direction: _Direction, data: bytes, time: float) -> str:
        """Return `data`, a line or a part of one, as a line of the file."""
        text = ""
        if not direction.is_detected and data.endswith(b"\n"):
            direction.is_detected = True
            line_end = b"\r\n" if data.endswith(b"\r\n") else b"\n"
            if line_end != direction.line_end:
                direction.line_end = line_end
                text = f"eol {direction.marker} {_NAMES[line_end]}\n"
        line = write_line(data, direction.line_end, self._secrets)
        return self._begin(direction, time) + text + _line(direction.marker, line)

    def _event(self, direction: _Direction, name: str, time: float) -> str:
        text = self._flush(self._sent, self._received)
        return text + self._begin(direction, time) + f"{direction.marker}! {name}\n"

    def _begin(self, direction: _Direction, time: float) -> str:
        """Return what stands before a line: an empty line before a request, and the time."""
        text = ""
        if direction is not self._last:
            if direction is self._sent or self._last is None:
                text = "\n"
        elif time - self._last_time < PAUSE:
            return ""
        self._last, self._last_time = direction, time
        return f"{text}@ {max(0.0, time - self._began):.3f}\n"

    def _flush(self, *directions: _Direction) -> str:
        """Return the lines of `directions` that are not complete."""
        text = ""
        for direction in directions:
            data, direction.pending = direction.pending, b""
            if data:
                text += self._write(direction, data, direction.time)
        return text

    # Secrets

    def _write_secret(self, line: bytes, line_end: bytes, time: float) -> str:
        """Return the line that stands for a secret one."""
        text = self._flush(self._sent, self._received)
        if line and line not in self._secrets:
            number = len(self._secrets) + 1
            self._secrets[line] = f"secret{number if number > 1 else ''}"
        variable = f"${{{self._secrets[line]}}}" if line else ""
        text += self._begin(self._sent, time)
        text += _line(">", variable + write_line(line_end, self._sent.line_end))
        if self._hidden:
            self._hidden = False
            self._last = self._received
            text += "<*\n"
        return text

    def _end_secret(self, time: float) -> str:
        """Return the line for a secret that has no line end."""
        line, self._secret = self._secret, b""
        return self._write_secret(line, b"", time) if line else ""


def _line(marker: str, text: str) -> str:
    return f"{marker} {text}\n" if text else f"{marker}\n"


def _comment(text: str) -> str:
    return f"# {escape(text.encode('utf-8', 'surrogateescape'))}"
