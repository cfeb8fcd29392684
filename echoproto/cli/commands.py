"""The commands, and the help of the command line as a whole.

Each command is one entry in `COMMANDS` and one module, which is imported when the command is used.
"""

from __future__ import annotations

from typing import Final

import click

from echoproto.cli.group import LazyGroup

COMMANDS: Final = {
    "bench": "Put load on an echo server: check every byte, measure the speed.",
    "connect": "Open a shell or a pipe on TARGET (the default command).",
    "ping": "Measure how long a server takes to answer a line.",
    "replay": "Replay session files, and print the first difference.",
    "send": "Send files to TARGET and print what comes back.",
    "show": "Print session files as the bytes on the wire.",
}
"""The commands and their short help. The module `echoproto.cli.NAME` defines the command NAME."""


@click.group(
    cls=LazyGroup,
    package=__package__,
    lazy_commands=COMMANDS,
    default_command="connect",
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[OPTIONS]",
    subcommand_metavar="[TARGET]",
)
@click.version_option(package_name="echoproto")
def cli() -> None:
    """Connect to a line server, with a shell if run in a terminal, and with a pipe otherwise.

    TARGET is HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT,
    telnet://HOST[:PORT], telnets://HOST[:PORT] or unix:PATH. PORT is a number or a service. An
    IPV6 address may end in %INTERFACE. unix:@NAME is an abstract Unix socket. Without TARGET,
    echoproto starts an echo server on a free loopback port, and stops it at the end.
    """
