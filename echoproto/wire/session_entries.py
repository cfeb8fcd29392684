"""What a session file says, as data: `SessionFile` and the entries of which it consists.

`session_file` describes the format and reads it. `session_text`, below this module, has the text of
a line.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from echoproto.errors import SessionFileError
from echoproto.wire.session_text import Pattern, Template, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from echoproto.wire.telnet.commands import Command
    from echoproto.wire.telnet.scanner import TelnetMode


@dataclass(frozen=True)
class Entry:
    """A line of the file about the connection.

    `line` is its number, `source` its text, and `time` is in seconds since the start, or None.
    `line_end` is the usual line end of its direction at this place.
    """

    line: int
    source: str
    time: float | None
    line_end: bytes

    @property
    def used_variables(self) -> set[str]:
        """The names of the variables in the line."""
        return set()


@dataclass(frozen=True)
class Send(Entry):
    """Send data."""

    data: Template

    @property
    def used_variables(self) -> set[str]:
        """See Entry."""
        return names(self.data)


@dataclass(frozen=True)
class SendCommand(Entry):
    """Send a telnet command."""

    command: Command


@dataclass(frozen=True)
class HalfClose(Entry):
    """End our side of the connection."""


@dataclass(frozen=True)
class Anything(Entry):
    """Skip lines, which end with the last byte of `line_end`, until the next that is expected."""


@dataclass(frozen=True)
class Expect(Entry):
    """Something that must come next. `timeout` is in seconds, or None if the file sets none."""

    timeout: float | None


@dataclass(frozen=True)
class ExpectData(Expect):
    """Exactly this data must come next."""

    data: Template

    @property
    def used_variables(self) -> set[str]:
        """See Entry."""
        return names(self.data)


@dataclass(frozen=True)
class ExpectMatch(Expect):
    """A line must come that `pattern` matches, followed by `line_end`.

    If it `is_prompt`, no line end is waited for: the shortest beginning of what comes matches.
    """

    pattern: Pattern
    is_prompt: bool

    @property
    def used_variables(self) -> set[str]:
        """See Entry."""
        return names(self.pattern)


@dataclass(frozen=True)
class ExpectClose(Expect):
    """The server must close the connection or half-close it."""


@dataclass(frozen=True)
class SessionFile:
    """A session as its file describes it.

    `name` is that of the file. `target` is the text of the target, or empty, in line `target_line`.
    `telnet` is None if the file does not say. `variables` are the values that the file sets.
    """

    name: str
    target: str
    target_line: int
    telnet: TelnetMode | None
    entries: tuple[Entry, ...]
    variables: dict[str, bytes]

    def check_variables(self, given: Iterable[str]) -> None:
        """Raise SessionFileError if a variable has no value.

        `given` are the names of those that the user sets. The others are set by the file, or by a
        regular expression in a line before.
        """
        known = {*given, *self.variables}
        for entry in self.entries:
            if missing := sorted(entry.used_variables - known):
                raise SessionFileError(
                    f"{self.name}:{entry.line}: ${{{missing[0]}}} has no value: give it with "
                    f"--set {missing[0]}=VALUE"
                )
            if isinstance(entry, ExpectMatch):
                known |= {*compile_pattern(entry.pattern, {}).groupindex}

    @property
    def counts(self) -> tuple[int, int]:
        """The number of lines that are sent, and of those that are expected."""
        sent = sum(isinstance(entry, Send) for entry in self.entries)
        return sent, sum(isinstance(entry, ExpectData | ExpectMatch) for entry in self.entries)

    @property
    def used_variables(self) -> set[str]:
        """The names of all variables that the session uses."""
        return set().union(*(entry.used_variables for entry in self.entries))


def compile_pattern(parts: Pattern, values: Mapping[str, bytes]) -> re.Pattern[str]:
    """Return the regular expression. A variable matches its value, or any text if it has none.

    Raises ValueError if `re` does not accept it.
    """
    text = "".join(
        part
        if isinstance(part, str)
        else re.escape(values[part.name].decode("utf-8", "surrogateescape"))
        if part.name in values
        else ".*"
        for part in parts
    )
    return _compile(text)


@lru_cache(maxsize=1024)
def _compile(text: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # for what another version of Python takes differently
        try:
            return re.compile(text)
        except (re.error, OverflowError, RecursionError, Warning) as error:
            raise ValueError(f"the regular expression is not valid: {error}") from None
