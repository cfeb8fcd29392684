"""Where the server listens: turns the values of --listen into Twisted endpoints.

An `ssl:` endpoint string is served by our TLS layer (`wire.tls`), which can half-close. If it sets
more than a port, an interface, a backlog, a key and a certificate, it is Twisted's endpoint, with
Twisted's TLS.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins

if TYPE_CHECKING:
    from twisted.internet.interfaces import IStreamServerEndpoint

BACKLOG: Final = 1024
"""Connections that may wait to be accepted. Twisted's 50 overflow in a burst."""

MAX_PORT: Final = 0xFFFF

_FORMS: Final = "PORT, HOST:PORT, [IPV6]:PORT"
_TAKE_BACKLOG: Final = frozenset(["tcp", "tcp6", "ssl", "unix"])
_WRAPPERS: Final = frozenset(["haproxy"])  # an endpoint string follows the name
_TWISTEDS_KEY: Final = "server.pem"  # the file that Twisted uses by default
_OURS: Final = frozenset(["port", "interface", "backlog", "privateKey", "certKey"])


@dataclass(frozen=True)
class Listener:
    """One place to listen: its endpoint string, its endpoint, and its TLS."""

    where: str
    endpoint: IStreamServerEndpoint
    tls: ssl.SSLContext | None = None
    """If set, connections are TLS by our layer."""


def make_listener(reactor: Any, where: str) -> Listener:
    """Make the listener for an endpoint string.

    Raises ValueError or OSError, or whatever else the parser of the endpoint type raises.
    """
    kind, *arguments = re.split(r"(?<!\\):", where)
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    unnamed = [argument for argument in arguments if "=" not in argument]
    _check_endpoint(kind, named, unnamed)
    ours = named.keys() <= _OURS and "privateKey" in named
    if kind != "ssl" or not ours or len(unnamed) + ("port" in named) != 1:
        return Listener(where, serverFromString(reactor, _with_backlog(where)))
    below = {"port": unnamed[0]} if unnamed else {}
    below |= {name: text for name, text in named.items() if not name.endswith("Key")}
    tcp = ":".join(["tcp", *map("=".join, below.items())])
    key, certificate = (
        Path(re.sub(r"\\(.)", r"\1", named.get(name, named["privateKey"])))
        for name in ("privateKey", "certKey")
    )
    endpoint = serverFromString(reactor, _with_backlog(tcp))
    return Listener(where, endpoint, _make_tls(key, certificate))


def _check_endpoint(kind: str, named: dict[str, str], unnamed: list[str]) -> None:
    """Raise ValueError for mistakes that Twisted's parser reports unclearly."""
    first = re.sub(r"\\(.)", r"\1", unnamed[0]).strip() if unnamed else ""
    port = named.get("port", first)
    has_key = "privateKey" in named or len(unnamed) > 1
    if kind in ("tcp", "tcp6", "ssl") and not re.fullmatch("[0-9]+", port):
        raise ValueError(f"{port!r} is not a port; give {kind}:PORT:interface=HOST")
    if kind == "unix" and not named.get("address", first):
        raise ValueError("the path is missing; give unix:PATH")
    if kind == "ssl" and not has_key and not Path(_TWISTEDS_KEY).exists():
        raise ValueError("the key is missing; give ssl:PORT:interface=HOST:privateKey=FILE")


def _make_tls(key: Path, certificate: Path) -> ssl.SSLContext:
    for file in (key, certificate):
        file.open().close()  # unlike an error of `ssl`, this one names the file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Data for a client that renegotiates (TLS 1.2) would have to wait in memory.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        what = (error.reason or "not PEM").lower().replace("_", " ")
        raise ValueError(f"no key and certificate in {key} and {certificate}: {what}") from None
    return context


def endpoint_strings(where: str) -> tuple[str, ...]:
    """Return the Twisted endpoint strings for a value of --listen. Raises ValueError.

    PORT, or localhost:PORT, means that port on each loopback address of the machine. HOST:PORT
    means that port on each address of HOST. Anything else must be an endpoint string; it is checked
    when it is used.
    """
    if "://" in where:
        raise ValueError(
            f"URLs are for the client; give {_FORMS}, "
            "or, for TLS, ssl:PORT:interface=HOST:privateKey=FILE"
        )
    host, colon, port = where.rpartition(":")
    if host.split(":")[0] in _endpoint_types():
        return (where,)
    if not re.fullmatch("[0-9]+", port) or (colon and not host) or _is_ipv6(host):
        raise ValueError(f"give {_FORMS}, or a Twisted endpoint string such as unix:/run/echo.sock")
    if len(port) > len(str(MAX_PORT)) or int(port) > MAX_PORT:
        raise ValueError(f"a port is at most {MAX_PORT}")
    if host in ("", "localhost"):
        addresses = ["127.0.0.1"] + ["::1"] * _has_ipv6_loopback()
    else:
        addresses = _resolve(host.removeprefix("[").removesuffix("]"))
    return tuple(
        f"{'tcp6' if ':' in address else 'tcp'}:{int(port)}"
        f":interface={quoteStringArgument(address)}"
        for address in addresses
    )


def _with_backlog(where: str) -> str:
    """Add our backlog to `where`, if its type takes one and it does not set one."""
    kind, *rest = where.split(":")
    while kind in _WRAPPERS and rest:
        kind, *rest = rest
    if kind not in _TAKE_BACKLOG or any(part.startswith("backlog=") for part in rest):
        return where
    return f"{where}:backlog={BACKLOG}"


def _endpoint_types() -> set[str]:
    plugins = getPlugins(IStreamServerEndpointStringParser)
    return {"tcp", "ssl", "unix"} | {plugin.prefix for plugin in plugins}


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _resolve(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"no address for host {host!r}: {error}") from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
