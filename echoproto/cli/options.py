"""Parses what several commands accept on the command line: options, numbers and the target.

The commands in this package use it. `client.target` parses the target itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from echoproto.cli.group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from echoproto.client.target import Target
    from echoproto.wire.telnet.scanner import TelnetMode


T = TypeVar("T")


class Number(click.ParamType[float]):
    """A parameter type for a finite number of `unit`.

    If `kind` is int, the number must be whole. The number must be greater than `above`, at least
    `least`, and at most `most`, where these are given.
    """

    name = "number"

    def __init__(
        self,
        unit: str,
        kind: type[int | float] = float,
        *,
        above: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        self._kind = kind
        self._above, self._least, self._most = above, least, most
        limits = [
            f"{words} {limit:,.12g}"
            for words, limit in (("above", above), ("at least", least), ("at most", most))
            if limit is not None
        ]
        number = "a whole number" if kind is int else "a number"
        self._wanted = f"{number} of {unit}, {' and '.join(limits)}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert `value` to a number, or fail with a message that says what would be right."""
        try:
            number = self._kind(value)
        except ValueError:
            number = math.nan
        if (
            (isinstance(number, float) and not math.isfinite(number))
            or (self._above is not None and number <= self._above)
            or (self._least is not None and number < self._least)
            or (self._most is not None and number > self._most)
        ):
            self.fail(f"{str(value)!r} is not {self._wanted}.", param, ctx)
        return number


SECONDS: Final = Number("seconds", above=0)

wait_option = click.option(
    "-w",
    "--wait",
    type=SECONDS,
    metavar="SECONDS",
    help="Time limit for connecting. By default, only the system's limit applies.",
)
wait_open_option = click.option(
    "--wait-open",
    is_flag=True,
    help="Wait until the port is open, or the Unix socket exists; -w limits how long.",
)
insecure_option = click.option(
    "-k", "--insecure", is_flag=True, help="TLS: accept any certificate."
)
telnet_option = click.option(
    "--telnet",
    type=click.Choice(["auto", "always", "never"]),
    help="Whether to speak telnet. auto: as soon as the server negotiates telnet. Default: auto in "
    "the shell, never in a pipe, and always for telnet:// and telnets://.",
)


def read_target(words: Sequence[str]) -> tuple[Target, list[str]]:
    """Parse the target at the start of `words`. Return it and the words after it.

    Raises click.UsageError if there is none; the message suggests a command with a similar name.
    """
    from echoproto.client.target import take_target

    return _parse(take_target, words)


def only_target(words: Sequence[str]) -> Target:
    """Parse the target that `words` are. Raises click.UsageError if they are none."""
    from echoproto.client import target

    return _parse(target.only_target, words)


def _only_target(
    context: click.Context, _: click.Parameter, words: Sequence[str]
) -> Target | Sequence[str] | None:
    if context.resilient_parsing:  # for completion, which wants to know whether there are any
        return words
    return only_target(words) if words else None


def _parse(parse: Callable[[Sequence[str]], T], words: Sequence[str]) -> T:
    from echoproto.errors import TargetError

    try:
        return parse(words)
    except TargetError as error:
        hint = ""
        context = click.get_current_context()
        group = context.find_root().command
        if isinstance(group, LazyGroup) and context.info_name == group.default_command:
            from difflib import get_close_matches

            close = get_close_matches(words[0], group.list_commands(context), n=1)
            hint = f"; or did you mean the command {close[0]}?" if close else ""
        raise click.UsageError(f"{error}{hint}") from None


def complete_target(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return what a target that is `begun` can begin with, if it is the first word."""
    from echoproto.client.target import BEGINNINGS

    is_first = not any(context.params.get(name) for name in ("target", "words"))
    return [word for word in BEGINNINGS if is_first and word.startswith(begun)]


target_argument = click.argument(
    "target",
    nargs=-1,
    metavar="TARGET",
    required=True,
    callback=_only_target,
    shell_complete=complete_target,
)
optional_target_argument = click.argument(
    "target",
    nargs=-1,
    metavar="[TARGET]",
    callback=_only_target,
    shell_complete=complete_target,
)


def given(names: Iterable[str]) -> dict[str, str]:
    """Return those of the parameters `names` that the command line sets, as it writes them."""
    context = click.get_current_context()
    wanted = set(names)
    return {
        param.name: max(param.opts, key=len)
        for param in context.command.params
        if param.name in wanted
        and context.get_parameter_source(param.name) is not ParameterSource.DEFAULT
    }


def telnet_mode(given: TelnetMode | None, target: Target, otherwise: TelnetMode) -> TelnetMode:
    """Return the telnet mode: `given`, or the mode of the target's scheme, or `otherwise`.

    Raises click.UsageError if `given` contradicts the scheme.
    """
    if not target.is_telnet:
        return given or otherwise
    if given == "never":
        raise click.UsageError(f"--telnet never contradicts {target}; give tcp:// or tls://")
    return given or "always"


def check_insecure(target: Target, *, insecure: bool) -> None:
    """Raise click.UsageError if `insecure` has no effect, because `target` does not use TLS."""
    if insecure and not target.is_tls:
        raise click.UsageError(
            f"-k has an effect only on TLS, which {target.name} does not use; give tls:// or "
            "telnets://, or leave out -k"
        )
