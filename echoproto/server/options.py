"""The options of `twistd echo`, made of the settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.python import usage

from echoproto.server.settings import Settings, declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from echoproto.server.settings import Declaration


class Options(usage.Options):
    """Options of `twistd echo`, for twistd to parse; `settings` is what came of them."""

    synopsis = "[options]"
    longdesc = "An echo service (RFC 862): every byte that a client sends comes back."

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, Any] = {}

    def parseArgs(self, *args: str) -> None:
        """Refuse arguments: there are none."""
        if args:
            raise usage.UsageError(f"unexpected argument {args[0]!r}: echo takes only options")

    def postOptions(self) -> None:
        """Make `settings` of what was given."""
        self.settings = Settings(**self._given)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; on an error say what is wrong in one line and exit with status 2."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            refuse(str(error))


def _handler(name: str, default: Any, about: Declaration) -> Callable[..., None]:
    """The method that takes an option; Twisted finds it by its name, and shows its docstring."""

    def flag(self: Options) -> None:
        self._given[name] = True

    def take(self: Options, text: str) -> None:
        try:
            value = about.value_of(text)
        except ValueError as error:
            option = name.replace("_", "-")
            raise usage.UsageError(f"--{option} {text}: {error}") from None
        if isinstance(default, tuple):
            value = self._given.get(name, ()) + value
        self._given[name] = value

    handler = flag if default is False else take
    handler.__doc__ = f"{about.help} [default: {default}]" if about.one_of else about.help
    return handler


for _name, _default, _about in declarations():
    _method = _handler(_name, _default, _about)
    for _option in filter(None, [_name, _about.letter]):
        setattr(Options, f"opt_{_option}", _method)


def refuse(what: str) -> NoReturn:
    """End the program because of how it was called."""
    print(f"twistd echo: {what}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)
