"""The options of `twistd echo`, read once into `Settings`."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins
from twisted.python import usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from echoproto.server.echo import Mode
    from echoproto.wire.telnet import TelnetMode

DEFAULT_PORT = 2020
BACKLOG = 1024
"""Connections that may wait to be accepted; Twisted's own 50 overflow in a burst."""

MAX_PORT = 0xFFFF


@dataclass(frozen=True)
class Settings:
    """What `twistd echo` was asked to do. `listen` holds Twisted server endpoint strings."""

    listen: tuple[str, ...]
    mode: Mode = "stream"
    log_lines: bool = False
    telnet: TelnetMode = "auto"


class Options(usage.Options):
    """Options of `twistd echo`, for twistd to parse; `settings` is what came of them."""

    synopsis = "[options]"
    longdesc = (
        "An echo service (RFC 862): every byte that a client sends comes back. "
        f"Without --listen it listens on port {DEFAULT_PORT} of the loopback interface."
    )
    optParameters = [  # noqa: RUF012
        ["mode", "m", "stream", "stream: send each byte back at once; line: each whole line."],
        [
            "telnet",
            "t",
            "auto",
            "Whether clients are telnet: auto (each that shows it), always or never.",
        ],
    ]
    optFlags = [["log-lines", None, "Log each line that is echoed."]]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._listen: list[str] = []

    def opt_listen(self, where: str) -> None:
        """PORT (loopback), HOST:PORT, [IPV6]:PORT or a Twisted endpoint string; repeats."""
        self._listen += endpoint_strings(where)

    opt_l = opt_listen

    def parseArgs(self, *args: str) -> None:
        """Refuse arguments: there are none."""
        if args:
            raise usage.UsageError(f"unexpected argument {args[0]!r}: echo takes only options")

    def postOptions(self) -> None:
        """Check the options, and make `settings` of them."""
        mode, telnet = self["mode"], self["telnet"]
        if mode not in ("stream", "line"):
            raise usage.UsageError(f"--mode {mode}: the modes are stream and line")
        if telnet not in ("auto", "always", "never"):
            raise usage.UsageError(f"--telnet {telnet}: it is auto, always or never")
        self.settings = Settings(
            listen=tuple(self._listen or endpoint_strings(str(DEFAULT_PORT))),
            mode=cast("Mode", mode),
            log_lines=bool(self["log-lines"]),
            telnet=cast("TelnetMode", telnet),
        )

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; on an error say what is wrong in one line and exit with status 2."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            refuse(str(error))


def refuse(what: str) -> NoReturn:
    """End the program because of how it was called."""
    print(f"twistd echo: {what}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


def endpoint_strings(where: str) -> list[str]:
    """The Twisted endpoint strings for a value of --listen. Raises UsageError.

    PORT, or localhost:PORT, is that port on each loopback address that the machine has; HOST:PORT
    is that port on each address of HOST; anything else is an endpoint string already, which is
    checked when it is used.
    """
    if "://" in where:
        raise usage.UsageError(
            f"--listen {where}: URLs are for the client; give PORT, HOST:PORT, [IPV6]:PORT, "
            "or, for TLS, ssl:PORT:interface=HOST:privateKey=FILE"
        )
    host, colon, port = where.rpartition(":")
    if host.split(":")[0] in _endpoint_types():
        return [where]
    if not re.fullmatch("[0-9]+", port) or (colon and not host) or _is_ipv6(host):
        raise usage.UsageError(
            f"--listen {where}: give PORT, HOST:PORT, [IPV6]:PORT, "
            "or a Twisted endpoint string such as unix:/run/echo.sock"
        )
    if len(port) > len(str(MAX_PORT)) or int(port) > MAX_PORT:
        raise usage.UsageError(f"--listen {where}: a port is at most {MAX_PORT}")
    if host in ("", "localhost"):
        addresses = ["127.0.0.1"] + ["::1"] * _has_ipv6_loopback()
    else:
        addresses = _resolve(host.removeprefix("[").removesuffix("]"))
    return [
        f"{'tcp6' if ':' in address else 'tcp'}:{int(port)}"
        f":interface={quoteStringArgument(address)}:backlog={BACKLOG}"
        for address in addresses
    ]


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
        raise usage.UsageError(f"--listen: no address for host {host!r}: {error}") from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
