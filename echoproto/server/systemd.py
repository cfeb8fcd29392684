"""The endpoint for a socket that systemd has passed to us, or another program in its way.

The socket is not ours. When the service stops, the socket file stays, its mode is as it was, and
the socket still listens for whoever made it. Twisted's endpoint sets the mode of a Unix socket to
666, and removes it at the end.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from echoproto.server.sockets import BACKLOG, adopt

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory

DOMAINS: Final = {
    "INET": socket.AF_INET,
    "INET6": socket.AF_INET6,
    "UNIX": socket.AF_UNIX,
}


@implementer(IStreamServerEndpoint)
class SystemdEndpoint:
    """Listens on the file descriptor `number`. Raises ValueError if it is no such socket."""

    def __init__(self, reactor: Any, number: int, domain: str) -> None:
        self._reactor = reactor
        try:
            self._socket = socket.socket(fileno=os.dup(number))
        except OSError as error:
            raise ValueError(f"descriptor {number} is no socket: {error.strerror}") from None
        os.set_inheritable(number, False)
        names = {family: name for name, family in DOMAINS.items()}
        found = names.get(self._socket.family, self._socket.family.name)
        listens = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if found != domain:
            self._socket.close()
            raise ValueError(f"domain={domain}: the socket is of the domain {found}")
        if self._socket.type != socket.SOCK_STREAM or not listens:
            self._socket.close()
            raise ValueError(
                "the socket does not listen for streams; "
                "its .socket unit needs ListenStream= and Accept=no"
            )

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803
        """Listen, as IStreamServerEndpoint.listen defines; any number of times."""
        if self._socket.family == socket.AF_UNIX:
            return execute(_AdoptedUNIXPort.listen, self._reactor, self._socket, protocolFactory)
        return execute(adopt, self._reactor, self._socket, protocolFactory, BACKLOG)


class _AdoptedUNIXPort(unix.Port):
    """Twisted's port, without what it does to a socket file that it has made itself."""

    _shouldShutdown = False  # Twisted's own flag for a socket that others share

    @classmethod
    def listen(cls, reactor: Any, sock: socket.socket, factory: Any) -> IListeningPort:
        """Accept connections on a duplicate of `sock`."""
        port = cls(sock.getsockname(), factory, BACKLOG, reactor=reactor)
        port.socket = sock.dup()
        port.socket.setblocking(False)
        port.socket.listen(BACKLOG)
        port.startListening()
        return port

    def startListening(self) -> None:
        """Start accepting connections."""
        self.factory.doStart()  # type: ignore[union-attr]
        self.connected = True
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100  # what Twisted begins with
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        """Close our duplicate, and leave the file."""
        tcp.Port.connectionLost(self, reason)
