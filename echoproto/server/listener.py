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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins
from twisted.protocols.haproxy import proxyEndpoint

from echoproto.server.endpoint_string import KINDS, MAX_PORT, REFUSED, TLS_FORM, parse
from echoproto.server.sockets import BACKLOG, SOCKET_BUFFER, TCPEndpoint, prepare, resolve
from echoproto.server.unix_socket import UnixEndpoint

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint

    from echoproto.server.factory import LineFactory

_FORMS: Final = "PORT, HOST:PORT, [IPV6]:PORT"
_TWISTEDS_KEY: Final = "server.pem"  # the file that Twisted uses by default
_TWISTEDS_TLS: Final = frozenset(["sslmethod", "extraCertChain", "dhParameters"])


@dataclass(frozen=True)
class Listener:
    """One place to listen: its endpoint string, its endpoint, and its TLS."""

    where: str
    endpoint: IStreamServerEndpoint
    tls: ssl.SSLContext | None = None
    """If set, connections are TLS by our layer."""
    buffer: int = SOCKET_BUFFER
    """How many bytes the system may hold for a connection, in each direction; 0: it decides."""
    inherits: bool = False
    """Whether connections inherit the options of the socket: we make it, and prepare it."""

    def listen(self, factory: LineFactory) -> Deferred[IListeningPort]:
        """Listen, and have every connection prepared."""
        prepare_socket = partial(prepare, buffer=self.buffer)
        if self.inherits:
            factory.urgent_in_line = True
            return self.endpoint.listen(factory)
        factory.prepare_socket = prepare_socket

        def prepare_port(port: IListeningPort) -> IListeningPort:
            sock = getattr(port, "socket", None)
            if sock is not None:
                prepare_socket(sock)
            return port

        return self.endpoint.listen(factory).addCallback(prepare_port)


def make_listener(reactor: Any, where: str, buffer: int = SOCKET_BUFFER) -> Listener:
    """Make the listener for an endpoint string.

    Raises ValueError, with a message that says which part is wrong and what would be right.
    """
    kind, _, rest = where.partition(":")
    if kind == "haproxy":
        if not _is_endpoint_string(rest):
            raise ValueError("an endpoint string must follow; give haproxy:tcp:PORT:interface=HOST")
        below = _make_twisteds_tls(reactor, rest) if rest.startswith("ssl:") else None
        listener = below or make_listener(reactor, rest, buffer)
        return Listener(where, proxyEndpoint(listener.endpoint), None, buffer, listener.inherits)
    if kind not in KINDS and kind not in REFUSED:
        return Listener(where, _from_string(reactor, where), None, buffer)
    kind, given = parse(where)
    if kind == "ssl" and not _TWISTEDS_TLS.isdisjoint(given):
        return _make_twisteds_tls(reactor, where, buffer)
    backlog = int(given.get("backlog", BACKLOG))
    if kind == "unix":
        mode, lock = int(given.get("mode", "666"), 8), given.get("lockfile") != "0"
        endpoint = UnixEndpoint(reactor, given["address"], backlog, mode, lock=lock)
        return Listener(where, endpoint, None, buffer)
    if kind == "systemd":
        return Listener(where, _from_systemd(reactor, where, given["domain"]), None, buffer)
    interface = given.get("interface", "")
    is_ipv6 = kind == "tcp6" or ":" in interface
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    tcp = TCPEndpoint(reactor, family, interface, int(given["port"]), backlog, buffer)
    tls = _make_tls(*_key_and_certificate(given)) if kind == "ssl" else None
    return Listener(where, tcp, tls, buffer, inherits=True)


def _make_twisteds_tls(reactor: Any, where: str, buffer: int = SOCKET_BUFFER) -> Listener:
    """Make the listener for an `ssl:` string that Twisted's TLS serves."""
    _, given = parse(where)
    resolve(given.get("interface", ""), 0, socket.AF_UNSPEC)
    # What is wrong with a file is said less clearly by Twisted, or only when a client connects.
    context = _make_tls(*_key_and_certificate(given))
    for name in ("extraCertChain", "dhParameters"):
        if name in given:
            _check_file(name, given[name])
    if "dhParameters" in given:
        try:
            context.load_dh_params(given["dhParameters"])
        except ssl.SSLError:
            raise ValueError(f"dhParameters={given['dhParameters']}: no parameters in it") from None
    text = f"{where}:backlog={BACKLOG}" if "backlog" not in given else where
    return Listener(where, _from_string(reactor, text), None, buffer)


def _from_string(reactor: Any, where: str) -> IStreamServerEndpoint:
    """Have Twisted, or a plug-in, make the endpoint."""
    try:
        return serverFromString(reactor, where)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 - a parser may raise anything
        kind, what = where.split(":", maxsplit=1)[0], " ".join(str(error).split())
        raise ValueError(
            f"no endpoint of the type {kind}: {what or type(error).__name__}"
        ) from None


def _from_systemd(reactor: Any, where: str, domain: str) -> IStreamServerEndpoint:
    from echoproto.server.systemd import SystemdEndpoint  # noqa: PLC0415 - not on Windows

    try:
        # Twisted has taken the variables from the environment.
        passed: Any = serverFromString(reactor, where)
    except LookupError:
        raise ValueError(
            "no such socket was passed (LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES name those that "
            "are); start the .socket unit, or use systemd-socket-activate --fdname=NAME"
        ) from None
    return SystemdEndpoint(reactor, passed.fileno, domain)


def _key_and_certificate(given: dict[str, str]) -> tuple[Path, Path]:
    if "privateKey" not in given and not Path(_TWISTEDS_KEY).exists():
        raise ValueError(f"the key is missing; give {TLS_FORM}")
    key = given.get("privateKey", _TWISTEDS_KEY)
    certificate = given.get("certKey", key)
    _check_file("privateKey", key)
    _check_file("certKey", certificate)
    return Path(key), Path(certificate)


def _check_file(name: str, path: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise ValueError(f"{name}={path}: {error.strerror}") from None


def _make_tls(key: Path, certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Data for a client that renegotiates (TLS 1.2) would have to wait in memory.
    context.options |= ssl.OP_NO_RENEGOTIATION

    def refuse() -> NoReturn:  # OpenSSL would ask on the terminal
        raise ValueError(f"the key in {key} needs a password; remove it with openssl pkey")

    try:
        context.load_cert_chain(certificate, key, refuse)
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
        raise ValueError(f"URLs are for the client; give {_FORMS}, or, for TLS, {TLS_FORM}")
    if _is_endpoint_string(where):
        return (where,)
    host, colon, port = where.rpartition(":")
    bracketed = re.fullmatch(r"\[(.*)\]", host)
    bare = bracketed[1] if bracketed else host
    if (
        not re.fullmatch("[0-9]+", port)
        or (colon and not host)
        or _is_ipv6(bare) is not bool(bracketed)
        or re.search(r"[\[\]]", bare)
    ):
        raise ValueError(f"give {_FORMS}, or a Twisted endpoint string such as unix:/run/echo.sock")
    if len(port) > len(str(MAX_PORT)) or int(port) > MAX_PORT:
        raise ValueError(f"a port is at most {MAX_PORT}")
    if host in ("", "localhost"):
        addresses = ["127.0.0.1"] + ["::1"] * _has_ipv6_loopback()
    else:
        found = resolve(bare, 0, socket.AF_UNSPEC)
        addresses = list(dict.fromkeys(str(sockaddr[0]) for sockaddr in found))
    return tuple(
        f"{'tcp6' if ':' in address else 'tcp'}:{int(port)}"
        f":interface={quoteStringArgument(address)}"
        for address in addresses
    )


def _is_endpoint_string(where: str) -> bool:
    """Whether `where` begins with a type of endpoint."""
    kind = where.partition(":")[0]
    plugins = getPlugins(IStreamServerEndpointStringParser)
    return kind in KINDS or kind in {plugin.prefix for plugin in plugins}


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
