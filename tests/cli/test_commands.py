"""The table of commands: each is where it says, and in the help."""

from __future__ import annotations

from importlib import import_module

from echoproto.cli.commands import COMMANDS
from support import BIN, run


def test_each_command_is_where_the_table_says_and_in_the_help():
    shown = run(BIN / "echoproto", "--help").stdout.decode().partition("\nCommands:\n")[2]
    assert [line.split(maxsplit=1) for line in shown.splitlines()] == [
        list(entry) for entry in sorted(COMMANDS.items())
    ]
    for name in COMMANDS:
        command = getattr(import_module(f"echoproto.cli.{name}"), name)
        assert command.name == name
        assert command.help
