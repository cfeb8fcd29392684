"""The options of `twistd echo`, made from the settings."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from twisted.python import usage

from echoproto.server.settings import Settings, declarations
from echoproto.server.twistd_files import check_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from echoproto.server.settings import Declaration


class Options(usage.Options):
    """Options of `twistd echo`, which twistd parses. `settings` is the result."""

    synopsis = "[options]"
    longdesc = "An echo service (RFC 862): every byte that a client sends comes back."

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, Any] = {}

    def parseArgs(self, *args: str) -> None:
        """Refuse arguments: `echo` takes only options."""
        if args:
            raise usage.UsageError(f"unexpected argument {args[0]!r}: echo takes only options")

    def postOptions(self) -> None:
        """Make `settings` from the options that were given, and look after twistd's files."""
        self.settings = Settings(**self._given)
        if self.parent is not None:
            check_files(self.parent)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the options. After a mistake, print one line and exit with status 2."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            refuse(str(error))


def _handler(name: str, default: Any, about: Declaration) -> Callable[..., None]:
    """Make the method for an option. Twisted finds it by name, and its docstring is the help."""

    def flag(self: Options) -> None:
        self._given[name] = True

    def take(self: Options, text: str) -> None:
        try:
            value = about.value_of(text)
        except ValueError as error:
            option = name.replace("_", "-")
            raise usage.UsageError(f"--{option} {shown(text)}: {error}") from None
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


def shown(text: str) -> str:
    """Return `text` for a message of one line: quoted if it would not be seen as it is."""
    return text if re.fullmatch(r"\S+", text) and text.isprintable() else repr(text)


def refuse(what: str) -> NoReturn:
    """Exit with status 2, because the program was called wrongly."""
    print(f"twistd echo: {what}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)
