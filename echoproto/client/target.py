"""Parses where to connect to: from the text that a user writes to a `Target`.

FORMS lists what a user may write. `opening` connects to a `Target`; `cli.options` parses one from
the words of a command line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from echoproto.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PORT: Final = 0xFFFF

FORMS: Final = (
    "HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT, telnet://HOST[:PORT], "
    "telnets://HOST[:PORT] or unix:///PATH"
)

# The schemes of URLs, and the default port of each.
_DEFAULT_PORTS: Final = {"tcp": "", "tls": "", "telnet": "23", "telnets": "992"}


@dataclass(frozen=True)
class Target:
    """A place to connect to: a TCP port of a host, or the path of a Unix socket.

    `scheme` is "tcp", "tls", "telnet" or "telnets" (telnet on TLS). It has no meaning if `path` is
    set. `str(target)` is its URL.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    scheme: str = "tcp"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Parse a target that is written in one of these forms, and return it.

        HOST PORT, HOST:PORT, [IPV6]:PORT, tcp://HOST:PORT, tls://HOST:PORT, telnet://HOST[:PORT]
        (port 23 by default), telnets://HOST[:PORT] (port 992 by default) or unix:///PATH.

        Raises TargetError if `text` has none of these forms.
        """
        words = [text] if text.startswith("unix:") else text.split()
        target, rest = take_target(words or [""])
        if rest:
            raise TargetError(f"{text}: {rest[0]!r} is one word too many; give {FORMS}")
        return target

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def name(self) -> str:
        """Short form of the target, for messages: HOST:PORT, the path, or the URL."""
        return str(self).removeprefix("tcp://").removeprefix("unix://")

    @property
    def is_tls(self) -> bool:
        """Whether the connection uses TLS."""
        return not self.path and self.scheme in ("tls", "telnets")

    @property
    def is_telnet(self) -> bool:
        """Whether the scheme is one of telnet's: "telnet" or "telnets"."""
        return not self.path and self.scheme in ("telnet", "telnets")


def take_target(words: Sequence[str]) -> tuple[Target, list[str]]:
    """Parse the target at the start of `words`. Return it and the words after it.

    Raises TargetError if `words` do not start with a target.
    """
    first, *rest = words
    if first.startswith("unix:/"):  # unix:///PATH, or unix:/PATH as in the server's log
        return Target(path="/" + first.removeprefix("unix:").lstrip("/")), rest
    scheme, is_url, location = first.partition("://")
    if is_url:
        return _from_url(scheme.lower(), location, first), rest
    host, colon, port = first.rpartition(":")
    if colon and (":" not in host or host.endswith("]")):
        return _tcp(host, port, first), rest
    if not rest:
        raise TargetError(f"{first}: the port is missing; give {FORMS}")
    return _tcp(first, rest[0], " ".join(words[:2])), rest[1:]


def _from_url(scheme: str, location: str, url: str) -> Target:
    if scheme not in _DEFAULT_PORTS:
        raise TargetError(f"{url}: unknown scheme {scheme}://; give {FORMS}")
    location = location.removesuffix("/")
    if "@" in location:
        raise TargetError(f"{url}: a target has no user name; give {FORMS}")
    if _DEFAULT_PORTS[scheme] and (":" not in location or location.endswith("]")):
        location += f":{_DEFAULT_PORTS[scheme]}"
    host, colon, port = location.rpartition(":")
    if location and not colon and not location.isdecimal():
        raise TargetError(f"{url}: the port is missing; give {FORMS}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise TargetError(f"{url}: an IPv6 address must be in brackets; give {FORMS}")
    return _tcp(host, port, url, scheme)


def _tcp(host: str, port: str, written: str, scheme: str = "tcp") -> Target:
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise TargetError(f"{written}: the host is missing; give {FORMS}")
    if not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= MAX_PORT):
        raise TargetError(f"{written}: {port!r} is not a port from 1 to {MAX_PORT}; give {FORMS}")
    return Target(host, int(port), scheme=scheme)
