"""The commands to the shell itself, which the user types after Ctrl-].

`COMMANDS` is the table, with one entry for each command. Help, completion and the messages for a
wrong command are made from it. To add a command, add its function and its entry.

`keys` runs and completes commands. They act on a `Session`. `command_line` is below this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from echoproto.client.target import BEGINNINGS, only_target
from echoproto.errors import TargetError
from echoproto.shell.command_line import Argument, Entry, Table
from echoproto.shell.key_help import describe_keys
from echoproto.shell.session import NOT_CONNECTED
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import Option, describe

if TYPE_CHECKING:
    from echoproto.shell.session import Session
    from echoproto.shell.settings import Mode
    from echoproto.wire.telnet.codec import TelnetCodec


def _send(session: Session, name: str) -> None:
    session.send_command(Command[name.upper()])


def _mode(session: Session, mode: Mode) -> None:
    session.settings.mode = mode
    session.display.redraw()


def _open(session: Session, *words: str) -> None:
    try:
        session.reopen(only_target(words) if words else None)
    except TargetError as error:
        session.say(f"open: {error}.")


def _close(session: Session) -> None:
    session.disconnect()


def _options(session: Session) -> None:
    if not session.is_open:
        session.say(NOT_CONNECTED)
        return
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


def _unquoted(word: str) -> str:
    return word[1:].removesuffix('"') if word.startswith('"') else word


def _targets(begun: str) -> list[str]:
    return [each for each in BEGINNINGS if each.startswith(begun)]


def _pause(session: Session) -> None:
    session.toggle_pause()


def _keys(session: Session) -> None:
    session.say(*describe_keys())


def _help(session: Session, entry: Entry | None = None) -> None:
    session.say(*(entry.explanation if entry else [*COMMANDS.summary, *_MORE_HELP]))


def _find(name: str) -> Entry:
    return COMMANDS.find(name)


def _names(begun: str) -> list[str]:
    return COMMANDS.names(begun)


def _quit(session: Session) -> None:
    session.display.quit()


_MORE_HELP: Final = (
    "help NAME or NAME ? explains a command, with an example. F1 lists the keys.",
    "A command, Enter alone, Ctrl-] or Ctrl-C returns to what you were typing.",
)

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

_MODES: Final = {
    "auto": "as the server wants it",
    "line": "a line at a time",
    "character": "each key at once",
}

COMMANDS: Final = Table(
    [
        Entry(
            "send",
            _send,
            "send a telnet command",
            "send ayt",
            (Argument("COMMAND", _SENDABLE),),
        ),
        Entry("mode", _mode, "set how you type", "mode line", (Argument("MODE", _MODES),)),
        Entry(
            "open",
            _open,
            "connect again, or to another TARGET (HOST PORT, tls://HOST:PORT, unix:PATH)",
            "open localhost 2020",
            (
                Argument("TARGET", parse=_unquoted, complete=_targets, is_optional=True),
                Argument("PORT", parse=_unquoted, is_optional=True),
            ),
        ),
        Entry("close", _close, "close the connection at once, and stay", "close"),
        Entry("options", _options, "list the telnet options in effect on each side", "options"),
        Entry("pause", _pause, "hold the output, or let it go on", "pause"),
        Entry("keys", _keys, "list the keys, as F1 does", "keys"),
        Entry(
            "help",
            _help,
            "list the commands, or explain one; also ?",
            "help send",
            (
                Argument(
                    "NAME",
                    parse=_find,
                    complete=_names,
                    is_optional=True,
                ),
            ),
        ),
        Entry("quit", _quit, "end the shell, as Ctrl-D does", "quit"),
    ]
)
