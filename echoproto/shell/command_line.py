"""The language of the shell's command line: how a command is checked, run, completed and explained.

A command is a name and its arguments, separated by spaces. An argument that contains a space stands
in double quotes. Each command is an `Entry` of a `Table`.

`commands` holds the table, and is above this module.
"""

from __future__ import annotations

import re
import textwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from echoproto.shell.view import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from echoproto.shell.session import Session

PROMPT: Final = "echoproto> "

_WIDTH: Final = 79
_NAMES: Final = 22  # width of the names in the help, in columns
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|\S+')


class Argument(NamedTuple):
    """An argument of a command: one word, or text in quotes."""

    name: str
    choices: Mapping[str, str] = MappingProxyType({})
    """Words that the argument can be, and the meaning of each."""
    parse: Callable[[str], Any] | None = None
    """Returns the value of a word that is none of `choices`. None allows no other word.

    The word is as the user typed it, with its quotes. Raises ValueError, whose message says what
    would be right.
    """
    complete: Callable[[str], Iterable[str]] = lambda _: ()
    """Returns the possible completions of a word that is begun, besides those of `choices`."""
    is_optional: bool = False
    means: str = ""
    """What the argument is, if its name and the help of the command do not say it."""


class Entry(NamedTuple):
    """A command to the shell, as an entry of the table."""

    name: str
    function: Callable[..., None]
    """Called with the session, and with the value of each argument that was given."""
    help: str
    example: str
    """The command as the user might type it."""
    arguments: tuple[Argument, ...] = ()

    @property
    def usage(self) -> str:
        """The command with the names of its arguments, as the user types it."""
        names = (f"[{each.name}]" if each.is_optional else each.name for each in self.arguments)
        return " ".join([self.name, *names])

    @property
    def explanation(self) -> list[str]:
        """Lines of text that explain the command, with an example."""
        lines = [self.usage, *columns("", f"{self.help}.")]
        for argument in self.arguments:
            kinds = [argument.means] if argument.means else []
            if argument.choices:
                kinds.append("one of these:")
            if kinds:
                end = "" if argument.choices else "."
                lines += columns("", f"{argument.name} is {', or '.join(kinds)}{end}")
            for word, means in argument.choices.items():
                lines += columns(f"  {word}", means)
        return [*lines, *columns("Example:", self.example)]


class Table(dict[str, Entry]):
    """The commands, by their names."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        super().__init__((entry.name, entry) for entry in entries)

    def run(self, session: Session, text: str) -> None:
        """Print and run the command `text`, or print what is wrong with it."""
        typed = show(text.encode("utf-8", "surrogateescape"))
        session.display.print([("class:prompt", PROMPT), *typed, ("", "\n")])
        name, *words = _WORD.findall(text)
        try:
            entry = self.find("help" if name == "?" else name)
        except ValueError as error:
            session.say(str(error))
            return
        if words == ["?"]:
            session.say(*entry.explanation)
            return
        try:
            values = _values(entry, words)
        except ValueError as error:
            session.say(f"{entry.name}: {error}")
        else:
            entry.function(session, *values)

    def find(self, name: str) -> Entry:
        """Return the command `name`. Raises ValueError, whose message says what may be meant."""
        if name not in self:
            raise ValueError(f"Unknown command {name!r}{_meant(name, self)} Use help for a list.")
        return self[name]

    def names(self, begun: str = "") -> list[str]:
        """Return the names of the commands that begin with `begun`."""
        return [name for name in self if name.startswith(begun)]

    @property
    def summary(self) -> list[str]:
        """Lines of text that name each command, and say what it does."""
        return [line for entry in self.values() for line in columns(entry.usage, entry.help)]

    def complete(self, text: str) -> list[tuple[str, str]]:
        """Return the possible completions of the last word of `text`, and the meaning of each.

        The last word may be empty.
        """
        before = _WORD.findall(text)
        word = last_word(text)
        if word:
            before.pop()
        if not before:
            return [(name, self[name].help) for name in self.names(word)]
        entry = self.get(before[0])
        if entry is None or len(before) > len(entry.arguments):
            return []
        argument = entry.arguments[len(before) - 1]
        found = {each: means for each, means in argument.choices.items() if each.startswith(word)}
        return [*found.items(), *((each, "") for each in argument.complete(word))]


def last_word(text: str) -> str:
    """Return the word at the end of `text`, with its quotes. It may be empty."""
    words = [*_WORD.finditer(text)]
    return words[-1][0] if words and words[-1].end() == len(text) else ""


def _values(entry: Entry, words: Sequence[str]) -> list[Any]:
    """Return the values of the arguments. Raises ValueError, whose message says what is wrong."""
    values = [
        _value(argument, word) for argument, word in zip(entry.arguments, words, strict=False)
    ]
    for argument in entry.arguments[len(words) :]:
        if not argument.is_optional:
            use = f"; use {either(argument.choices)}" if argument.choices else ""
            raise ValueError(f"{argument.name} is missing{use}. Example: {entry.example}")
    if more := words[len(entry.arguments) :]:
        names = " and ".join(argument.name for argument in entry.arguments)
        takes = f"one {names}" if names else "no argument"
        raise ValueError(f"unexpected argument {more[0]!r}; {entry.name} takes {takes}.")
    return values


def _value(argument: Argument, word: str) -> Any:
    if word in argument.choices:
        return word
    if argument.parse:
        return argument.parse(word)
    raise ValueError(unknown(argument.name, word, argument.choices))


def unknown(name: str, word: str, choices: Iterable[str]) -> str:
    """Return what is wrong with `word`, which should be one of `choices`."""
    return f"unknown {name} {word!r}{_meant(word, choices)} Use {either(choices)}."


def _meant(word: str, choices: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and few words are wrong

    close = get_close_matches(word, choices, n=1)
    return f"; did you mean {close[0]}?" if close else "."


def either(choices: Iterable[str]) -> str:
    """Return the choices as text: "one, two or three"."""
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def columns(left: str, right: str) -> list[str]:
    """Return lines with `left` in a column of its own, and `right` wrapped beside it."""
    if len(left) >= _NAMES:
        return [left, *columns("", right)]
    return textwrap.wrap(
        right, _WIDTH, initial_indent=f"{left:{_NAMES}}", subsequent_indent=" " * _NAMES
    )
