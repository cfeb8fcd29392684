"""What commands share of what is written on a command line: their options, and the target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from echoproto.client.target import Target
    from echoproto.wire.telnet import TelnetMode


class Finite(click.FloatRange):
    """A number of `unit`, within `limits` and not infinite."""

    def __init__(self, unit: str, **limits: Any) -> None:
        super().__init__(**limits)
        self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take what was written for a number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number of {self._unit}.", param, ctx)
        return number


SECONDS: Final = Finite("seconds", min=0, min_open=True)

wait_option = click.option(
    "-w",
    "--wait",
    type=SECONDS,
    metavar="SECONDS",
    help="How long connecting may take; if not given, as long as the system lets it.",
)
insecure_option = click.option(
    "-k", "--insecure", is_flag=True, help="TLS: accept any certificate."
)
telnet_option = click.option(
    "--telnet",
    type=click.Choice(["auto", "always", "never"]),
    help="Is the server telnet? auto: when it shows that it is. If not given: auto in the shell, "
    "never in a pipe, and always for telnet:// and telnets://.",
)
crlf_option = click.option("-C", "--crlf", is_flag=True, help="Pipe: send LF as CR LF.")
idle_option = click.option(
    "-i", "--idle", type=SECONDS, metavar="SECONDS", help="Pipe: end when idle for so long."
)


def take_target(words: Sequence[str]) -> tuple[Target, list[str]]:
    """The target that `words` begin with, and the words after it."""
    from echoproto.client import target

    try:
        return target.take_target(words)
    except target.TargetError as error:
        raise click.UsageError(str(error)) from None


def _only_target(_: click.Context, __: click.Parameter, words: Sequence[str]) -> Target | None:
    if not words:
        return None
    target, rest = take_target(words)
    if rest:
        raise click.UsageError(f"unexpected argument {rest[0]!r} after the target {target.name}")
    return target


target_argument = click.argument(
    "target", nargs=-1, metavar="TARGET", required=True, callback=_only_target
)
optional_target_argument = click.argument(
    "target", nargs=-1, metavar="[TARGET]", callback=_only_target
)


def telnet_mode(given: TelnetMode | None, target: Target, otherwise: TelnetMode) -> TelnetMode:
    """When the connection is telnet: as `given`, or as the target says, or else `otherwise`."""
    if not target.is_telnet:
        return given or otherwise
    if given == "never":
        raise click.UsageError(f"--telnet never contradicts {target}; give tcp:// or tls://")
    return given or "always"
