"""The command line, and the only place that joins the client, the shell and the embedded server.

Each command is one entry in `COMMANDS` and one file, which is imported when the command is used.
What the files share is in `options` (what is written on the command line), `run` (how a command
runs and with which exit status it ends) and `piping` (a connection as a pipe).
"""

from __future__ import annotations

import sys
from typing import Final

import click

from echoproto.cli.group import LazyGroup
from echoproto.cli.run import fail

COMMANDS: Final = {
    "bench": "Load on an echo server: throughput, latency, wrong bytes.",
    "connect": "A shell or a pipe on TARGET; this is the default command.",
    "ping": "How long a server takes to answer a line.",
    "send": "A pipe of files to TARGET, and of its answers to the output.",
}
"""The commands, and what each does; `echoproto.cli.NAME` has the command, under the same name."""


@click.group(
    cls=LazyGroup,
    package=__name__,
    lazy_commands=COMMANDS,
    default_command="connect",
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[OPTIONS]",
    subcommand_metavar="[TARGET]",
)
@click.version_option(package_name="echoproto")
def cli() -> None:
    """Talk to a line server: a shell when run in a terminal, otherwise a pipe.

    TARGET is HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT,
    telnet://HOST[:PORT], telnets://HOST[:PORT] or unix:///PATH. Without one, an echo server is
    started on a free loopback port, for as long as echoproto runs.
    """


def main() -> None:
    """Run the command line."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None:  # and its number would be that of the next file that is opened
            fail(f"standard {name} is closed", 2)
    cli(prog_name="echoproto")
