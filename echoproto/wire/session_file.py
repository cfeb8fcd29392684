"""A session file: what was sent and received on a connection, as text that a person can write.

The first line is `VERSION_LINE`. Each further line is one of these:

- `# TEXT`, or an empty line: a comment.
- `> TEXT`: send this line. `>` alone sends an empty line. `session_text` defines TEXT.
- `< TEXT`: this line must come next. `<` alone is an empty line.
- `<~ REGEX`: a line must come that the regular expression matches as a whole (Python's `re`, on
  text). Each named group becomes a variable. With a single backslash at its end, the line end is
  not waited for: the shortest beginning of what comes matches.
- `<*`: any number of lines may come, until the next line that the file expects.
- `>! half-close`: end our side. `<! close`: the server must close the connection, or end its side.
- `>! NAME`: send a telnet command, such as AYT (`COMMANDS`).
- `@ SECONDS`: when the lines after it were sent or received, since the start.
- `target TARGET`, `telnet MODE`: what to connect to, and how. Each at most once.
- `eol NAME`: the usual line end from here on, one of `framing.LINE_ENDS`. `eol > NAME` and
  `eol < NAME` set that of one direction.
- `timeout SECONDS`: how long each line that is expected from here on may take.
- `set NAME TEXT`: the value of a variable, unless the user gives another.

Lines of the file end with LF or CR LF. `parse` reads a file, and `recorder` writes one.
`session_entries`, below this module, has what `parse` returns. `session_player` runs
through it, and `client.replay` replays it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, cast

from echoproto.errors import SessionFileError
from echoproto.wire.dump import escape
from echoproto.wire.framing import LINE_ENDS
from echoproto.wire.session_entries import (
    Anything,
    Entry,
    ExpectClose,
    ExpectData,
    ExpectMatch,
    HalfClose,
    Send,
    SendCommand,
    SessionFile,
    compile_pattern,
)
from echoproto.wire.session_text import NAME, names, read, read_line, read_pattern, split_line_end
from echoproto.wire.telnet.commands import NEGOTIATION_MEANING, Command

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from echoproto.wire.telnet.scanner import TelnetMode

VERSION_LINE: Final = "# echoproto session 1"
"""The first line of a session file."""

COMMANDS: Final = {
    command.name: command
    for command in Command
    if command not in {Command.SB, Command.SE, Command.IAC, *NEGOTIATION_MEANING}
}
"""The telnet commands that a session can send, by name."""

HALF_CLOSE: Final = "half-close"
CLOSE: Final = "close"

_MODES: Final = ("auto", "always", "never")


def parse(data: bytes, name: str) -> SessionFile:
    """Return the session that `data`, the content of the file `name`, describes.

    Raises SessionFileError for what is not a session file. The message names the file and the
    line, and says what would be right.
    """
    parser = _Parser(name)
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for parser.line, raw in enumerate(lines, 1):
        try:
            parser.read(raw.removesuffix(b"\r"))
        except ValueError as error:
            raise SessionFileError(f"{name}:{parser.line}: {error}") from None
    return parser.result()


@dataclass
class _Parser:
    """The state while a file is read. Its methods raise ValueError, which says what is wrong."""

    name: str
    line: int = 0
    source: str = ""
    target: str = ""
    target_line: int = 0
    telnet: TelnetMode | None = None
    time: float | None = None
    timeout: float | None = None
    line_ends: dict[str, bytes] = field(default_factory=lambda: {">": b"\r\n", "<": b"\r\n"})
    ended: set[str] = field(default_factory=set)  # the directions that have ended
    entries: list[Entry] = field(default_factory=list)
    variables: dict[str, bytes] = field(default_factory=dict)

    def result(self) -> SessionFile:
        return SessionFile(
            self.name,
            self.target,
            self.target_line,
            self.telnet,
            tuple(self.entries),
            self.variables,
        )

    def read(self, raw: bytes) -> None:
        """Read one line of the file."""
        try:
            self.source = raw.decode()
        except UnicodeDecodeError as error:
            byte = raw[error.start]
            raise ValueError(
                f"byte {byte:02x} is not UTF-8: write \\x{byte:02x} in a line of data"
            ) from None
        if control := re.search(r"[\0-\x08\x0a-\x1f\x7f]", self.source):
            code = ord(control[0])
            raise ValueError(f"a control character: write \\x{code:02x} in a line of data")
        if self.line == 1:
            _check_version(self.source)
        elif self.source.strip() and not self.source.startswith("#"):
            word, _, rest = self.source.partition(" ")
            function = _LINES.get(word)
            if function is None:
                raise ValueError(_unknown(self.source))
            function(self, rest)

    def send(self, text: str) -> None:
        entry = self._entry(">")
        self.entries.append(Send(*entry, read_line(text, self.line_ends[">"])))

    def expect(self, text: str) -> None:
        entry = self._entry("<")
        data = read_line(text, self.line_ends["<"])
        self.entries.append(ExpectData(*entry, self.timeout, data))

    def expect_match(self, text: str) -> None:
        entry = self._entry("<")
        if not text:
            raise ValueError("<~ needs a regular expression: write <~ 220 .*, for example")
        pattern, line_end = split_line_end(text, self.line_ends["<"])
        parts = read_pattern(pattern)
        compile_pattern(parts, {})
        self.entries.append(ExpectMatch(*entry, self.timeout, parts, not line_end))

    def anything(self, text: str) -> None:
        entry = self._entry("<")
        if text:
            raise ValueError("<* stands alone: write what comes after it in a line of its own")
        self.entries.append(Anything(*entry))

    def sent_event(self, text: str) -> None:
        entry = self._entry(">")
        name = text.strip()
        if name == HALF_CLOSE:
            self.ended.add(">")
            self.entries.append(HalfClose(*entry))
        elif command := COMMANDS.get(name.upper()):
            self.entries.append(SendCommand(*entry, command))
        else:
            known = ", ".join([HALF_CLOSE, *sorted(COMMANDS)])
            raise ValueError(f">! sends one of {known}; {name!r} is none of them")

    def received_event(self, text: str) -> None:
        entry = self._entry("<")
        if text.strip() != CLOSE:
            raise ValueError(f"the only event that can be expected is '<! {CLOSE}'")
        self.ended.add("<")
        self.entries.append(ExpectClose(*entry, self.timeout))

    def set_time(self, text: str) -> None:
        self.time = _seconds("@", text)

    def set_timeout(self, text: str) -> None:
        self.timeout = _seconds("timeout", text)
        if not self.timeout:
            raise ValueError("a timeout is more than 0 seconds")

    def set_line_end(self, text: str) -> None:
        *direction, name = text.split() or [""]
        if name.lower() not in LINE_ENDS or direction not in ([], [">"], ["<"]):
            raise ValueError(
                f"eol takes one of {', '.join(LINE_ENDS)}, and > or < before it for one direction: "
                "write 'eol lf' or 'eol > lf'"
            )
        for each in direction or self.line_ends:
            self.line_ends[each] = LINE_ENDS[name.lower()]

    def set_target(self, text: str) -> None:
        if self.target:
            raise ValueError("the file has a target already")
        if not text.strip():
            raise ValueError("target needs a target: write 'target localhost:2020', for example")
        self.target, self.target_line = text.strip(), self.line

    def set_telnet(self, text: str) -> None:
        if self.telnet:
            raise ValueError("the file has a telnet mode already")
        if text.strip() not in _MODES:
            raise ValueError(f"telnet takes one of {', '.join(_MODES)}")
        self.telnet = cast('Literal["auto", "always", "never"]', text.strip())

    def set_variable(self, text: str) -> None:
        name, _, value = text.partition(" ")
        if not re.fullmatch(NAME, name):
            raise ValueError("set needs a name and a value: write 'set user alice', for example")
        template = read(value)
        if names(template):
            raise ValueError("the value of a variable cannot contain another variable")
        self.variables[name] = b"".join(part for part in template if isinstance(part, bytes))

    def _entry(self, direction: str) -> tuple[int, str, float | None, bytes]:
        """Return the fields that all entries have."""
        if direction in self.ended:
            raise ValueError(
                f"nothing can be sent after '>! {HALF_CLOSE}'"
                if direction == ">"
                else f"nothing can come after '<! {CLOSE}'"
            )
        return self.line, self.source, self.time, self.line_ends[direction]


_LINES: Final[dict[str, Callable[[_Parser, str], None]]] = {
    ">": _Parser.send,
    "<": _Parser.expect,
    "<~": _Parser.expect_match,
    "<*": _Parser.anything,
    ">!": _Parser.sent_event,
    "<!": _Parser.received_event,
    "@": _Parser.set_time,
    "eol": _Parser.set_line_end,
    "set": _Parser.set_variable,
    "target": _Parser.set_target,
    "telnet": _Parser.set_telnet,
    "timeout": _Parser.set_timeout,
}
"""What reads a line, by its first word."""


def _check_version(line: str) -> None:
    if line.rstrip() == VERSION_LINE:
        return
    start, _, version = VERSION_LINE.rpartition(" ")
    if found := re.fullmatch(rf"{start} +(\S+) *", line):
        raise ValueError(f"session files of version {found[1]} are not known, only of {version}")
    raise ValueError(f"not a session file: the first line must be '{VERSION_LINE}'")


def _seconds(word: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})? *", text):
        raise ValueError(f"{word} needs a number of seconds: write '{word} 1.5', for example")
    return float(text)


def _unknown(line: str) -> str:
    """Return what is wrong with a line that begins with an unknown word."""
    stripped = line.lstrip()
    if stripped != line and stripped[0] in "<>":
        return "a blank before the line: begin with < or >"
    marker = re.match(r"<[~*!]|>!|[<>@]", line)
    if marker:
        return f"a blank is missing: write '{marker[0]} {escape(line[marker.end() :].encode())}'"
    word = line.split(maxsplit=1)[0]
    close = get_close_matches(word, [known for known in _LINES if known.isalpha()], n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"a line begins with #, {', '.join(_LINES)}, not with {word!r}{meant}"
