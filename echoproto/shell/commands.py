"""The command line of the shell, which Ctrl-] opens: what can be said to the shell itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from echoproto.wire.negotiation import Side
from echoproto.wire.telnet import Command, Option

if TYPE_CHECKING:
    from echoproto.wire.telnet import TelnetCodec

PROMPT: Final = "echoproto> "

HELP: Final = """\
send ayt     send a telnet command: are you there
             (also brk, ip, eof; abort, ao, ec, el, nop, susp)
options      what telnet options were agreed on, on each side
quit         end, as Ctrl-D does
Enter alone, Ctrl-] or Ctrl-C: back to what you were typing"""

SENDABLE: Final = {
    command.name.lower(): command
    for command in (
        *(Command.AYT, Command.BRK, Command.IP, Command.EOF),
        *(Command.ABORT, Command.AO, Command.EC, Command.EL, Command.NOP, Command.SUSP),
    )
}

_WORDS: Final = {
    (Side.HIM, Option.BINARY): "sends 8-bit data as it is",
    (Side.HIM, Option.ECHO): "echoes what is typed, so that it is hidden here",
    (Side.HIM, Option.SGA): "sends no go-ahead",
    (Side.US, Option.BINARY): "sends 8-bit data as it is",
    (Side.US, Option.SGA): "sends no go-ahead",
    (Side.US, Option.TTYPE): "tells its terminal type, {codec.terminal_type}",
    (Side.US, Option.NAWS): "tells its window size, {size}",
}


def describe_options(codec: TelnetCodec) -> list[str]:
    """What was agreed on each side, in words: a line each."""
    if not codec.is_telnet:
        never = codec.is_plain
        return [f"Not telnet{', and never will be' if never else ': the server has shown none'}."]
    lines = []
    size = "{}x{}".format(*codec.window_size)
    for side, who in ((Side.HIM, "The server"), (Side.US, "This shell")):
        options = codec.options(side)
        if not options:
            lines.append(f"{who}: no options.")
        for option in options:
            words = _WORDS[side, Option(option)].format(codec=codec, size=size)
            lines.append(f"{who} {words} ({Option(option).name}).")
    return lines
