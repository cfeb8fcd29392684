"""A group of commands that imports a command only when it is used, and has a default command.

This is the lazy group from click's documentation ("Complex Applications"). The group has the short
help of each command, so that listing the commands imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A click group whose commands are imported when they are used.

    `lazy_commands` maps the name of each command to its short help. The command NAME is the
    function NAME in the module NAME of `package`. `default_command` runs if the command line names
    no command; the group's help lists its options together with those of the group.
    """

    def __init__(
        self,
        *args: Any,
        package: str,
        lazy_commands: Mapping[str, str],
        default_command: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        self._lazy_commands = lazy_commands
        self.default_command = default_command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands."""
        return sorted(self._lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command `cmd_name`; None if there is no such command."""
        if cmd_name not in self._lazy_commands:
            return None
        command: click.Command = getattr(import_module(f"{self._package}.{cmd_name}"), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse `args`. If they do not start with a command, give them to the default command."""
        own = {*self._lazy_commands, *(opt for param in self.get_params(ctx) for opt in param.opts)}
        if not (args and args[0] in own) and not ctx.resilient_parsing:
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the default command and of the group, then the commands."""
        default, own = self.get_command(ctx, self.default_command), self.get_params(ctx)
        params = [*(default.get_params(ctx) if default else ()), *own]
        options = {param.name: param for param in params if param.opts[0][0] == "-"}
        records = [record for option in options.values() if (record := option.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(records)
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._lazy_commands.items()))
