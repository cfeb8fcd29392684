"""The keys of the shell, as F1 and the command `keys` list them.

`KEYS` is the table. The bindings are in `keys`; those that are missing there are prompt_toolkit's
own. The tests press each key of the table, and compare it with the README.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from echoproto.shell.command_line import columns


class Key(NamedTuple):
    """A key and what it does, as the help says it."""

    name: str
    does: str


LINE: Final = "While you type a line:"
COMMAND: Final = "On the command line:"
CHARACTER: Final = "While a telnet server takes each key at once:"

KEYS: Final = {
    LINE: (
        Key("Enter", "send the line; without a connection, connect again"),
        Key("Right", "accept the suggestion"),
        Key("Up", "recall the line before"),
        Key("Down", "recall the line after"),
        Key("Ctrl-R", "search for an earlier line; Enter accepts it, Ctrl-G leaves"),
        Key("Ctrl-A", "go to the start of the line"),
        Key("Ctrl-E", "go to its end"),
        Key("Ctrl-W", "cut the word before the cursor"),
        Key("Ctrl-U", "cut all before the cursor"),
        Key("Ctrl-K", "cut all after the cursor"),
        Key("Ctrl-Y", "insert what was cut"),
        Key("Tab", "insert a tab"),
        Key("Ctrl-Q", "insert the next key itself: Ctrl-Q Escape is ESC, Ctrl-Q Ctrl-] is GS"),
        Key("Ctrl-L", "clear the screen"),
        Key("Ctrl-C", "clear the line, and stop sending what is not sent yet; stop connecting"),
        Key("Ctrl-D", "on an empty line, end the shell after the answer; again, at once"),
        Key("Ctrl-Z", "suspend the shell; fg brings it back"),
        Key("Ctrl-]", "open the command line"),
        Key("F1", "list the keys"),
        Key("F2", "hold the output, or let it go on, as the command pause does"),
    ),
    COMMAND: (
        Key("Enter", "run the command; without one, go back"),
        Key("Tab", "complete, or list what can follow"),
        Key("Up", "recall the command before"),
        Key("Ctrl-C", "go back to the line"),
        Key("Ctrl-]", "go back to the line"),
        Key("Ctrl-D", "on an empty command, end the shell"),
        Key("F1", "list the keys"),
    ),
    CHARACTER: (Key("Ctrl-]", "open the command line; every other key goes to the server"),),
}
"""The keys, by where they are pressed."""


def describe_keys() -> list[str]:
    """Return the keys as lines of text."""
    lines = []
    for where, keys in KEYS.items():
        lines.append(where)
        for key in keys:
            lines += columns(f"  {key.name}", key.does)
    return lines
