"""Endpoint strings: takes one apart, and says what is wrong with it and what would be right.

Twisted's own parsers report a mistake as whatever their code happens to raise. `KINDS` is the table
of the types that are known here, with the arguments of each in the order in which Twisted takes
them. The other types come from plug-ins, which have parsers of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PORT: Final = 0xFFFF

TLS_FORM: Final = "ssl:PORT:interface=HOST:privateKey=FILE"


class Argument(NamedTuple):
    """What an argument may be."""

    what: str
    accepts: Callable[[str], bool] = bool


@dataclass(frozen=True)
class Kind:
    """One type of endpoint."""

    form: str
    """What would be right, for a message."""
    arguments: dict[str, Argument]
    """In the order in which they may stand without their names."""
    needs: tuple[str, ...] = ()


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text, re.ASCII) is not None


def _is_port(text: str) -> bool:
    return re.fullmatch("0*[0-9]{1,5}", text) is not None and int(text) <= MAX_PORT


_PORT = Argument(f"a port from 0 to {MAX_PORT}", _is_port)
_BACKLOG = Argument("a number of connections", _matches("[0-9]{1,9}"))
_INTERFACE = Argument("an address or a host", lambda _: True)
_FILE = Argument("a file")

KINDS: Final = {
    "tcp": Kind(
        "tcp:PORT:interface=HOST",
        {"port": _PORT, "interface": _INTERFACE, "backlog": _BACKLOG},
        ("port",),
    ),
    "tcp6": Kind(
        "tcp6:PORT:interface=HOST",
        {"port": _PORT, "backlog": _BACKLOG, "interface": _INTERFACE},
        ("port",),
    ),
    "ssl": Kind(
        TLS_FORM,
        {
            "port": _PORT,
            "privateKey": _FILE,
            "certKey": _FILE,
            "sslmethod": Argument("the name of a method of OpenSSL"),
            "interface": _INTERFACE,
            "backlog": _BACKLOG,
            "extraCertChain": _FILE,
            "dhParameters": _FILE,
        },
        ("port",),
    ),
    "unix": Kind(
        "unix:PATH",
        {
            "address": Argument("a path"),
            "mode": Argument("an octal mode such as 660", _matches("0?[0-7]{1,4}")),
            "backlog": _BACKLOG,
            "lockfile": Argument("0 or 1", _matches("[01]")),
        },
        ("address",),
    ),
    "systemd": Kind(
        "systemd:domain=INET:index=0, or name= in place of index=",
        {
            "domain": Argument("INET, INET6 or UNIX", _matches("INET6?|UNIX")),
            "index": Argument("a number from 0", _matches("[0-9]{1,4}")),
            "name": Argument("the name of a socket"),
        },
        ("domain",),
    ),
}
"""The types whose arguments are checked here."""

REFUSED: Final = {
    "stdio": "standard input is no place to listen; give PORT, HOST:PORT or [IPV6]:PORT",
    "tls": f"a folder of certificates is not supported; for TLS, give {TLS_FORM}",
}
"""The types that cannot be an echo server, and why."""

_CALLED: Final = {"address": "path"}


def parse(where: str) -> tuple[str, dict[str, str]]:
    """Return the type of an endpoint string of `KINDS` or `REFUSED`, and its arguments by name.

    Raises ValueError.
    """
    (_, kind), *parts = split(where)
    if kind in REFUSED:
        raise ValueError(REFUSED[kind])
    known = KINDS[kind]
    unnamed = iter(known.arguments)
    given: dict[str, str] = {}
    for name, text in parts:
        if name is not None and name not in known.arguments:
            raise ValueError(f"unknown argument {name!r}; {kind} takes {_list(known)}")
        argument = name if name is not None else next(unnamed, None)
        if argument is None or argument in given:
            problem = f"{text!r} is one too many" if argument is None else f"{argument} comes twice"
            raise ValueError(rf"{problem}; give {known.form}, with \: for a colon in a value")
        given[argument] = text.strip() if argument == "port" else text
    for name in known.needs:
        if not given.get(name):
            raise ValueError(f"the {_CALLED.get(name, name)} is missing; give {known.form}")
    for name, text in given.items():
        what, accepts = known.arguments[name]
        if not accepts(text):
            raise ValueError(f"{name}={text} is not {what}; give {known.form}")
    if kind == "systemd" and ("index" in given) == ("name" in given):
        raise ValueError(f"one of index and name is needed; give {known.form}")
    return kind, given


def _list(kind: Kind) -> str:
    *names, last = kind.arguments
    return f"{', '.join(names)} and {last}"


def split(where: str) -> list[tuple[str | None, str]]:
    r"""Split an endpoint string at its colons; each part is a name, or None, and its text.

    A backslash takes the meaning from a following colon, equals sign or backslash. Raises
    ValueError.
    """
    parts: list[tuple[str | None, str]] = []
    for part in re.findall(r"(?:\A|:)((?:\\.|[^\\:])*)", where, re.DOTALL):
        name, equals, text = re.fullmatch(r"((?:\\.|[^\\=])*)(=?)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        parts.append((_unescape(name), _unescape(text)) if equals else (None, _unescape(name)))
    if re.search(r"(?<!\\)(?:\\\\)*\\\Z", where):
        raise ValueError(r"it ends with a backslash; write \\ for a backslash in a value")
    return parts


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
