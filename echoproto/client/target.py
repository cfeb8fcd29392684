"""Where to connect to: what a person writes, and the `Target` that it means."""

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

# The schemes of URLs, and the port that each has if none is given.
_DEFAULT_PORTS: Final = {"tcp": "", "tls": "", "telnet": "23", "telnets": "992"}


@dataclass(frozen=True)
class Target:
    """A TCP port of a host, or the path of a Unix socket. As text: a URL.

    `scheme` is "tcp", "tls", "telnet" or "telnets" (telnet on TLS); for a path it means nothing.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    scheme: str = "tcp"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a target from what a person writes, in any of the FORMS. Raises TargetError."""
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
        """How a person writes it: HOST:PORT, the path, or the URL."""
        return str(self).removeprefix("tcp://").removeprefix("unix://")

    @property
    def is_tls(self) -> bool:
        """The connection goes through TLS."""
        return not self.path and self.scheme in ("tls", "telnets")

    @property
    def is_telnet(self) -> bool:
        """The URL says that it is telnet."""
        return not self.path and self.scheme in ("telnet", "telnets")


def take_target(words: Sequence[str]) -> tuple[Target, list[str]]:
    """The target that `words` begin with, and the words after it. Raises TargetError."""
    first, *rest = words
    if first.startswith("unix:/"):  # unix:///PATH, or unix:/PATH as the server writes it
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
        raise TargetError(f"{url}: a user name has no place in it; give {FORMS}")
    if _DEFAULT_PORTS[scheme] and (":" not in location or location.endswith("]")):
        location += f":{_DEFAULT_PORTS[scheme]}"
    host, colon, port = location.rpartition(":")
    if location and not colon and not location.isdecimal():
        raise TargetError(f"{url}: the port is missing; give {FORMS}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise TargetError(f"{url}: an IPv6 address stands in brackets; give {FORMS}")
    return _tcp(host, port, url, scheme)


def _tcp(host: str, port: str, written: str, scheme: str = "tcp") -> Target:
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise TargetError(f"{written}: the host is missing; give {FORMS}")
    if not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= MAX_PORT):
        raise TargetError(f"{written}: {port!r} is not a port from 1 to {MAX_PORT}; give {FORMS}")
    return Target(host, int(port), scheme=scheme)
