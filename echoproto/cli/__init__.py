"""The command line: the only place that joins the client, the shell and the embedded server.

`main` is the entry point. Each command is one module, which is imported when the command is used:
`bench`, `connect`, `ping` and `send`. The other modules are shared:

- `signals` decides what a signal does. It comes first, and imports almost nothing.
- `run` runs the program and its commands, and decides the exit status.
- `commands` is the table of commands; `group` finds a command and imports it.
- `options` parses the options and targets on the command line.
- `piping` runs a connection as a pipe.
- `report` shows the progress and the result of `bench`.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line, and exit."""
    # From here on, Ctrl-C ends the program without a traceback. Most of the start is still to come.
    from echoproto.cli.signals import end_at_once

    end_at_once()
    from echoproto.cli.run import run_program

    run_program(_command_line)


def _command_line() -> object:
    from echoproto.cli.commands import cli

    return cli(prog_name="echoproto", standalone_mode=False)
