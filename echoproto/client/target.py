"""Parses where to connect to: from the text that a user writes to a `Target`.

FORMS lists what a user may write. `names` checks the host. `opening` connects to a `Target`;
`cli.options` parses one from the words of a command line.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from echoproto.client.names import ascii_name
from echoproto.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_PORT: Final = 0xFFFF

MAX_UNIX_ADDRESS: Final = 108 if sys.platform == "linux" else 104
"""Size of a Unix socket's address in bytes: a path and NUL, or NUL and a name (unix(7))."""

FORMS: Final = (
    "HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT, telnet://HOST[:PORT], "
    "telnets://HOST[:PORT] or unix:PATH"
)

# The schemes of URLs, and the default port of each.
_DEFAULT_PORTS: Final = {"tcp": None, "tls": None, "telnet": "23", "telnets": "992"}

BEGINNINGS: Final = (*(f"{scheme}://" for scheme in _DEFAULT_PORTS), "unix:")
"""What a target can begin with, for the completion of a command line."""


@dataclass(frozen=True)
class Target:
    """A place to connect to: a TCP port of a host, or a Unix socket.

    `host` is what the user wrote, without brackets; an IPv6 address may have a zone (fe80::1%eth0).
    `path` is the path of a Unix socket, or @ and the name of an abstract one. `scheme` is "tcp",
    "tls", "telnet" or "telnets" (telnet on TLS). It has no meaning if `path` is set. `str(target)`
    is its URL, which `parse` reads.

    Raises TargetError for what no connection can be made to.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    scheme: str = "tcp"

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.scheme not in _DEFAULT_PORTS:
            raise TargetError(f"unknown scheme {self.scheme}://; give {', '.join(_DEFAULT_PORTS)}")
        if not self.path:
            if not self.host:
                raise TargetError("the host is missing")
            _ = self.ascii_host  # raises TargetError if it is no host
            if not 1 <= self.port <= MAX_PORT:
                raise TargetError(f"{self.host}: {self.port} is not a port from 1 to {MAX_PORT}")
        elif self.host or self.port:
            raise TargetError(f"{self.path}: a target is a host and a port, or a path: not both")
        else:
            _check_path(self.path)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Parse a target that is written in one of these forms, and return it.

        HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT, telnet://HOST[:PORT]
        (port 23 by default), telnets://HOST[:PORT] (port 992 by default) or unix:PATH.

        PORT is a number, or the name of a TCP service that the system knows. IPV6 may have a zone:
        [fe80::1%eth0], and in a URL also [fe80::1%25eth0] (RFC 6874). PATH is taken as it is
        written, without percent-encoding. unix:///run/x and unix:/run/x are the same; unix:x is
        relative to the working folder; unix:@x is an abstract socket (unix(7)).

        Raises TargetError if `text` has none of these forms.
        """
        words = [text] if _is_unix(text) else text.split()
        return only_target(words or [""])

    def __str__(self) -> str:
        if self.path:
            return f"unix:{'//' if self.path.startswith('/') else ''}{self.path}"
        return f"{self.scheme}://{self._host(_quote)}:{self.port}"

    @property
    def name(self) -> str:
        """Short form of the target, for messages: HOST:PORT, the path, or the URL."""
        if self.path or self.scheme != "tcp" or self.host.lower() == "unix":
            return str(self).removeprefix("unix://")
        return f"{self._host(str)}:{self.port}"

    @property
    def is_tls(self) -> bool:
        """Whether the connection uses TLS."""
        return not self.path and self.scheme in ("tls", "telnets")

    @property
    def is_telnet(self) -> bool:
        """Whether the scheme is one of telnet's: "telnet" or "telnets"."""
        return not self.path and self.scheme in ("telnet", "telnets")

    @cached_property
    def ascii_host(self) -> str:
        """The name or address to look up, in ASCII: see `names`."""
        return ascii_name(self.host)

    @property
    def server_name(self) -> str:
        """The host in TLS: in ASCII, without a zone, and without a last dot (RFC 6066, 3)."""
        return self.ascii_host.partition("%")[0].removesuffix(".")

    @property
    def zone(self) -> str:
        """The zone of an IPv6 address (RFC 4007): the name or number of an interface, or empty."""
        return self.host.partition("%")[2]

    @property
    def unix_address(self) -> str:
        """The system's address of the Unix socket: that of an abstract one begins with NUL."""
        return f"\0{self.path[1:]}" if self.path.startswith("@") else self.path

    def _host(self, write_zone: Callable[[str], str]) -> str:
        """Return the host as it is written before a port."""
        address, percent, zone = self.host.partition("%")
        return f"[{address}{write_zone(percent + zone)}]" if ":" in address else self.host


def only_target(words: Sequence[str]) -> Target:
    """Parse a target that consists of all `words`, and return it.

    Raises TargetError if they are not a target, or more than one; the message names each word that
    is too many.
    """
    over = words[2:]  # no form has more than two words
    try:
        target, rest = take_target(words)
    except TargetError as error:
        raise TargetError(f"{error}; {_unexpected(over)}" if over else str(error)) from None
    if rest:
        raise TargetError(f"{_unexpected(rest)} after the target {target.name}")
    return target


def take_target(words: Sequence[str]) -> tuple[Target, list[str]]:
    """Parse the target at the start of `words`. Return it and the words after it.

    Raises TargetError if `words` do not start with a target.
    """
    first, *rest = words
    if _is_unix(first):
        return _from_unix(first), rest
    scheme, is_url, location = first.partition("://")
    if is_url:
        return _from_url(scheme.lower(), location, first), rest
    host, colon, port = first.rpartition(":")
    if colon and (":" not in host or host.endswith("]")):
        return _tcp(host, port, first), rest
    if not rest:
        what = "the host is missing" if first.isdecimal() else "the port is missing"
        if ":" in host:
            what += ", or an IPv6 address is not in brackets"
        raise TargetError(f"{first}: {what}; give {FORMS}")
    return _tcp(first, rest[0], " ".join(words[:2])), rest[1:]


def _is_unix(text: str) -> bool:
    return text[:5].lower() == "unix:"


def _from_unix(written: str) -> Target:
    path = written[5:]
    if path.startswith("//"):
        path = path[2:]
        if path and not path.startswith("/"):
            raise TargetError(
                f"{written}: only an absolute path can follow unix://; give unix:///{path} or "
                f"unix:{path}"
            )
    if not path.removeprefix("@"):
        raise TargetError(f"{written}: the path is missing; give unix:PATH, or unix:@NAME for an "
                          "abstract socket")  # fmt: skip
    return Target(path=path)


def _from_url(scheme: str, location: str, url: str) -> Target:
    if scheme not in _DEFAULT_PORTS:
        raise TargetError(f"{url}: unknown scheme {scheme}://; give {FORMS}")
    location = location.removesuffix("/")
    if "@" in location:
        raise TargetError(f"{url}: a target has no user name; give {FORMS}")
    parts = re.fullmatch(r"(\[.*\]|[^:\[\]]*)(?::([^:]*))?", location, re.DOTALL)
    if not parts:
        raise TargetError(f"{url}: an IPv6 address must be in brackets; give {FORMS}")
    host, port = parts[1], parts[2] if parts[2] is not None else _DEFAULT_PORTS[scheme]
    if port is None:
        what = "host" if not host or host.isdecimal() else "port"
        raise TargetError(f"{url}: the {what} is missing; give {FORMS}")
    address, percent, zone = host.partition("%25")  # RFC 6874; a bare % is taken as it is
    return _tcp(f"{address}%{_unquote(zone)}" if percent else host, port, url, scheme)


def _tcp(host: str, port: str, written: str, scheme: str = "tcp") -> Target:
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise TargetError(f"{written}: the host is missing; give {FORMS}")
    number = int(port) if re.fullmatch("[0-9]{1,5}", port) else _service(port)
    if not 1 <= number <= MAX_PORT:
        service = (
            "" if re.fullmatch("[0-9]*", port) else ", nor a TCP service that the system knows"
        )
        raise TargetError(
            f"{written}: {port!r} is not a port from 1 to {MAX_PORT}{service}; give {FORMS}"
        )
    return Target(host, number, scheme=scheme)


def _service(name: str) -> int:
    """Return the port of a TCP service (/etc/services on most systems), or 0 if it is not known."""
    try:
        return socket.getservbyname(name.lower(), "tcp")
    except (OSError, ValueError):
        return 0


def _check_path(path: str) -> None:
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        raise TargetError(f"{path!a}: not the path of a Unix socket") from None
    if b"\0" in encoded:
        raise TargetError(f"{path!r}: the path of a Unix socket cannot contain NUL")
    most = MAX_UNIX_ADDRESS - (not path.startswith("@"))
    if len(encoded) > most:
        raise TargetError(
            f"{path}: the path of a Unix socket has at most {most} bytes; this one has "
            f"{len(encoded)}. A path relative to the working folder may be shorter"
        )


def _unexpected(words: Sequence[str]) -> str:
    return f"unexpected argument{'s' * (len(words) > 1)} {' '.join(map(repr, words))}"


def _quote(text: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - slow to import, and few targets have a zone

    return quote(text, safe="", errors="surrogateescape")


def _unquote(text: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415 - as above

    return unquote(text, errors="surrogateescape")
