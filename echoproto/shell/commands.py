"""The command line of the shell, which Ctrl-] opens: commands to the shell itself.

`COMMANDS` is the table, with one entry for each command. Help, completion and the messages for a
wrong command are made from it. To add a command, add its function and its entry.

`keys` calls `run` and `complete`. The commands act on a `Session`.
"""

from __future__ import annotations

import textwrap
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.shell.view import show
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import Option, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from echoproto.shell.session import Session
    from echoproto.wire.telnet.codec import TelnetCodec

PROMPT: Final = "echoproto> "

_WIDTH: Final = 79
_NAMES: Final = 15  # width of the names in the help, in columns


class Argument(NamedTuple):
    """An argument of a command: one word after the name of the command."""

    name: str
    choices: Mapping[str, str]
    """The possible words, and the meaning of each."""


class Entry(NamedTuple):
    """A command to the shell, as an entry of the table."""

    name: str
    function: Callable[..., None]
    """Called with the session, and with one word for each argument."""
    help: str
    arguments: tuple[Argument, ...] = ()

    @property
    def usage(self) -> str:
        """The command with the names of its arguments, as the user types it."""
        return " ".join([self.name, *(argument.name for argument in self.arguments)])


def run(session: Session, text: str) -> None:
    """Print and run the command `text`, or print what is wrong with it."""
    typed = show(text.encode("utf-8", "surrogateescape"))
    session.display.print([("class:prompt", PROMPT), *typed, ("", "\n")])
    name, *words = text.split()
    entry = _BY_NAME.get("help" if name == "?" else name)
    if entry is None:
        meant = _meant(name, _BY_NAME)
        session.say(f"Unknown command {name!r}{meant} Use {_either(_BY_NAME)}.")
    elif problem := _problem(entry, words):
        session.say(f"{entry.name}: {problem}")
    else:
        entry.function(session, *words)


def complete(text: str) -> list[tuple[str, str]]:
    """Return the possible completions of the last word of `text`, and the meaning of each.

    The last word may be empty.
    """
    start, _, word = text.rpartition(" ")
    before = start.split()
    choices: Mapping[str, str] = {}
    if not before:
        choices = {entry.name: entry.help for entry in COMMANDS}
    elif (entry := _BY_NAME.get(before[0])) and len(before) <= len(entry.arguments):
        choices = entry.arguments[len(before) - 1].choices
    return [(choice, means) for choice, means in choices.items() if choice.startswith(word)]


def _problem(entry: Entry, words: list[str]) -> str | None:
    """Return what is wrong with the arguments `words`; None if they are right."""
    for argument, word in zip(entry.arguments, words, strict=False):
        if word not in argument.choices:
            meant = _meant(word, argument.choices)
            return f"unknown {argument.name} {word!r}{meant} Use {_either(argument.choices)}."
    if missing := entry.arguments[len(words) :]:
        return f"{missing[0].name} is missing; use {_either(missing[0].choices)}."
    if more := words[len(entry.arguments) :]:
        names = " and ".join(argument.name for argument in entry.arguments)
        takes = f"one {names}" if names else "no argument"
        return f"unexpected argument {more[0]!r}; {entry.name} takes {takes}."
    return None


def _meant(word: str, choices: Iterable[str]) -> str:
    close = get_close_matches(word, choices, n=1)
    return f"; did you mean {close[0]}?" if close else "."


def _either(choices: Iterable[str]) -> str:
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


# The commands


def _send(session: Session, name: str) -> None:
    session.send_command(Command[name.upper()])


def _options(session: Session) -> None:
    session.say(*describe_options(session.codec))


def describe_options(codec: TelnetCodec) -> list[str]:
    """Return the options in effect on each side as text, one line for each."""
    if not codec.is_telnet:
        if codec.is_plain:
            return ["This connection is not telnet."]
        return ["The server has not negotiated telnet."]
    lines = []
    for side, who in ((Side.REMOTE, "The server"), (Side.LOCAL, "This shell")):
        options = codec.options(side)
        if not options:
            lines.append(f"{who} has no options in effect.")
        lines += [f"{who} {describe(side, each, codec)} ({Option(each).name})." for each in options]
    return lines


def _help(session: Session) -> None:
    lines = []
    for entry in COMMANDS:
        lines += _columns(entry.usage, entry.help)
        for argument in entry.arguments:
            choices = (f"{word} ({means})" for word, means in argument.choices.items())
            lines += _columns("", f"{argument.name} is {_either(choices)}")
    session.say(
        *lines,
        "A command, Enter alone, Ctrl-] or Ctrl-C returns to what you were typing.",
    )


def _columns(left: str, right: str) -> list[str]:
    return textwrap.wrap(
        right, _WIDTH, initial_indent=f"{left:{_NAMES}}", subsequent_indent=" " * _NAMES
    )


def _quit(session: Session) -> None:
    session.display.quit()


_SENDABLE: Final = {
    "ayt": "are you there",
    "brk": "break",
    "ip": "interrupt process",
    "eof": "end of file",
    "abort": "abort process",
    "ao": "abort output",
    "ec": "erase character",
    "el": "erase line",
    "nop": "no operation",
    "susp": "suspend process",
}
"""The telnet commands that `send` can send, by their names in `Command`, and their meanings."""

COMMANDS: Final = (
    Entry("send", _send, "send a telnet command", (Argument("COMMAND", _SENDABLE),)),
    Entry("options", _options, "list the telnet options in effect on each side"),
    Entry("help", _help, "list the commands; also ?"),
    Entry("quit", _quit, "end the shell, as Ctrl-D does"),
)
_BY_NAME: Final = {entry.name: entry for entry in COMMANDS}
