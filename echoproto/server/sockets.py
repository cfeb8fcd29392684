"""Listening sockets: the options of each, and the endpoint that makes those for TCP.

A connection inherits its options from the listening socket if they were set before the client
connected. We therefore make the sockets of TCP ports ourselves, and pass them to the reactor, which
would otherwise listen first. A socket that something else has made may have connections waiting
already, and connections on Unix sockets inherit nothing: there, each connection is given the
options too (`LineFactory.prepare_socket`).
"""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.base import BasePort
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory

BACKLOG: Final = 4096
"""Connections that may wait to be accepted. Twisted's 50 overflow in a burst."""

SOCKET_BUFFER: Final = 262_144
"""Bytes that the system may hold for a connection, in each direction."""

_TCP_OPTIONS: Final = {
    "TCP_KEEPIDLE": 60,  # seconds of silence before the first probe
    "TCP_KEEPINTVL": 10,  # seconds between two probes
    "TCP_KEEPCNT": 6,  # probes without an answer after which the connection is lost
    "TCP_USER_TIMEOUT": 120_000,  # milliseconds for which sent data may wait to be acknowledged
}


def receive_urgent_in_line(handle: Any) -> None:
    """Receive urgent data in line on `handle`, a socket.

    Otherwise the system would take the urgent byte of telnet's Synch (RFC 854, page 9) out of the
    stream and leave half of a command; which half is urgent depends on the client. Linux has urgent
    data on Unix sockets as well.
    """
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def prepare(handle: Any, buffer: int) -> None:
    """Set our options on `handle`: a listening socket, or a connection that inherits none.

    `buffer` is how many bytes the system may hold in each direction, with what it needs to manage
    them; 0 leaves it to the system. A socket that will listen must be prepared before it does:
    listening decides how large a TCP window can be (tcp(7)).
    """
    receive_urgent_in_line(handle)
    if buffer:
        size = buffer // 2 if sys.platform == "linux" else buffer  # Linux doubles it: socket(7)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    if handle.family in (socket.AF_INET, socket.AF_INET6):
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _TCP_OPTIONS.items():
            if hasattr(socket, name):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@implementer(IStreamServerEndpoint)
class TCPEndpoint:
    """Listens on a TCP port, of IPv4 or IPv6 alone, on a socket that we make.

    `interface` is an address or the name of a host; "" means all addresses. Raises ValueError if it
    is no address of that family.
    """

    def __init__(  # noqa: PLR0917 - what the socket needs
        self,
        reactor: Any,
        family: socket.AddressFamily,
        interface: str,
        port: int,
        backlog: int = BACKLOG,
        buffer: int = SOCKET_BUFFER,
    ) -> None:
        self._reactor = reactor
        self._family = family
        self._interface = interface
        self._port = port
        self.backlog = backlog
        self._buffer = buffer
        self._address = resolve(interface, port, family)[0]

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803
        """Listen, as IStreamServerEndpoint.listen defines. Fails with CannotListenError."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            with closing(socket.socket(self._family, socket.SOCK_STREAM)) as sock:
                if sys.platform not in ("win32", "cygwin"):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if self._family == socket.AF_INET6:
                    # 0.0.0.0 can then listen on the same port.
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                prepare(sock, self._buffer)
                sock.bind(self._address)
                sock.listen(self.backlog)
                return adopt(self._reactor, sock, factory, self.backlog)
        except OSError as error:
            raise CannotListenError(self._interface, self._port, error) from None


def adopt(
    reactor: Any, sock: socket.socket, factory: IProtocolFactory, backlog: int
) -> IListeningPort:
    """Have the reactor accept connections on a duplicate of `sock`, which listens."""
    sock.setblocking(False)
    port = reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
    # uvloop has just listened with a backlog of its own, and would do so again.
    port.backlog = backlog
    sock.listen(backlog)
    return port  # type: ignore[no-any-return]


def close_port(port: Any) -> None:
    """Close a port at once. Its `stopListening` waits for the reactor, which may never run."""
    if isinstance(port, BasePort):
        port.stopReading()
        port.connectionLost(Failure(CONNECTION_DONE))
    else:
        port.stopListening()


def resolve(host: str, port: int, family: socket.AddressFamily) -> list[Any]:
    """Return the socket addresses of `host`, or of all interfaces if it is empty.

    Raises ValueError.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"no address for host {host!r}: {why}") from None
    return [sockaddr for *_, sockaddr in found]
