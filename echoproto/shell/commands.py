"""The commands to the shell itself, which the user types after Ctrl-].

`COMMANDS` is the table, with one entry for each command. Help, completion and the messages for a
wrong command are made from it. To add a command, add its function and its entry.

`keys` runs and completes commands. They act on a `Session`. `command_line` is below this module.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from echoproto.client.target import BEGINNINGS, only_target
from echoproto.errors import TargetError
from echoproto.shell.arguments import complete_path, parse_bytes, parse_path, parse_word
from echoproto.shell.command_line import Argument, Entry, Table, unknown
from echoproto.shell.key_help import describe_keys
from echoproto.shell.line_ends import LINE_END_WORDS, describe_line_end
from echoproto.shell.session import NOT_CONNECTED
from echoproto.wire.dump import escape
from echoproto.wire.framing import LINE_ENDS
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import describe
from echoproto.wire.telnet.words import option_name

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from echoproto.shell.session import Session
    from echoproto.shell.settings import Mode
    from echoproto.wire.telnet.codec import TelnetCodec

    Switch: TypeAlias = Literal["on", "off"]


def _send(session: Session, what: str | bytes) -> None:
    if isinstance(what, bytes):
        session.send_bytes(what)
    else:
        session.send_command(Command[what.upper()])


def _send_file(session: Session, path: str) -> None:
    try:
        session.send_file(path)
    except OSError as error:
        name = escape(os.fsencode(path))
        session.say(f"send-file: cannot read {name}: {error.strerror or error}.")


def _eol(session: Session, name: str = "") -> None:
    if name:
        session.settings.line_end = LINE_ENDS.get(name)
    words = describe_line_end(session.line_end)
    if not session.line_end:
        session.say("Lines are sent without a line end.")
    elif session.settings.line_end is None:
        session.say(f"Lines are sent with {words} at their end, which telnet may change (auto).")
    else:
        session.say(f"Lines are sent with {words} at their end.")


def _mode(session: Session, mode: Mode) -> None:
    session.settings.mode = mode
    session.display.redraw()


def _wire(session: Session, switch: Switch) -> None:
    session.settings.wire = switch == "on"


def _time(session: Session, switch: Switch) -> None:
    session.settings.reply_times = switch == "on"
    session.display.redraw()


def _stamps(session: Session, switch: Switch) -> None:
    session.settings.stamps = switch == "on"
    session.display.redraw()


def _record(session: Session, path: str = "") -> None:
    recording = session.recording
    if path == "off" and recording.name:
        session.say(
            f"The recording is in {recording.name}."
            if recording.has_begun
            else f"Nothing was recorded, and {recording.name} is removed."
        )
        recording.stop()
    elif recording.name:
        session.say(f"{recording.name} is being recorded; record off ends that.")
    elif path in ("", "off"):
        session.say("Nothing is being recorded. Example: record session.txt")
    else:
        _start_recording(session, path)


def _start_recording(session: Session, path: str) -> None:
    try:
        session.recording.start(path)
    except OSError as error:
        session.say(f"record: {escape(os.fsencode(path))}: {error.strerror}.")
    else:
        name = session.recording.name
        session.say(
            f"From now on, the connection is recorded in {name}."
            if session.is_open
            else f"The next connection will be recorded in {name}."
        )


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
        lines += [f"{who} {describe(side, each, codec)} ({option_name(each)})." for each in options]
    return lines


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


def _parse_sendable(word: str) -> bytes:
    """Return the bytes of a word in quotes. Raises ValueError for any other word."""
    if word.startswith('"'):
        return parse_bytes(word)
    raise ValueError(f"{unknown('COMMAND', word, _SENDABLE)} Or give bytes in quotes.")


_LINE_ENDS: Final = {**LINE_END_WORDS, "auto": "CR LF, or as telnet has it"}

_MODES: Final = {
    "auto": "as the server wants it",
    "line": "a line at a time",
    "character": "each key at once",
}

_SWITCH: Final = (Argument("SWITCH", {"on": "show it", "off": "leave it out"}),)

COMMANDS: Final = Table(
    [
        Entry(
            "send",
            _send,
            r'send a telnet command, or bytes in quotes: "\x00raw\r\n"',
            "send ayt",
            (
                Argument(
                    "COMMAND",
                    _SENDABLE,
                    _parse_sendable,
                    means=r"bytes in quotes, with the escapes \r \n \t \0 \e \\ \" \$ \xNN",
                ),
            ),
        ),
        Entry(
            "send-file",
            _send_file,
            "send what is in a file, byte for byte; Ctrl-C stops it",
            "send-file mail.txt",
            (
                Argument(
                    "FILE",
                    parse=parse_path,
                    complete=complete_path,
                    means="a name, in quotes if a space is in it",
                ),
            ),
        ),
        Entry(
            "eol",
            _eol,
            "set the line end of what you type, or say which it is",
            "eol lf",
            (Argument("NAME", _LINE_ENDS, is_optional=True),),
        ),
        Entry("mode", _mode, "set how you type", "mode line", (Argument("MODE", _MODES),)),
        Entry(
            "wire",
            _wire,
            "show the bytes on the wire, in hex and as text",
            "wire on",
            _SWITCH,
        ),
        Entry("time", _time, "show the time from each line to its reply", "time off", _SWITCH),
        Entry("stamps", _stamps, "show a time stamp on each line", "stamps on", _SWITCH),
        Entry(
            "record",
            _record,
            "record in a new session file, or say what is recorded",
            "record session.txt",
            (
                Argument(
                    "FILE",
                    {"off": "end the recording"},
                    parse=parse_path,
                    complete=complete_path,
                    is_optional=True,
                    means="the name of a new file",
                ),
            ),
        ),
        Entry(
            "open",
            _open,
            "connect again, or to another TARGET",
            "open tls://localhost:2443",
            (
                Argument(
                    "TARGET",
                    parse=parse_word,
                    complete=_targets,
                    is_optional=True,
                    means="HOST PORT, HOST:PORT, tls://HOST:PORT, unix:PATH and the like",
                ),
                Argument("PORT", parse=parse_word, is_optional=True),
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
