"""`LineFactory`: serves protocols, each on a `ServerConnection` that a registry keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import ServerFactory

from echoproto.server.connection import ServerConnection
from echoproto.server.log import ConnectionLog
from echoproto.server.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext
    from typing import Self

    from twisted.internet.interfaces import IAddress, IProtocolFactory


class LineFactory(ServerFactory):
    """Builds `protocol` for each connection: `LineFactory(Shout)`. Serves any Twisted protocol.

    `protocol` is called without arguments and returns an IProtocol. `registry` is the registry of
    the connections; by default, a new one that logs them. With `tls`, connections are TLS from the
    first byte.
    """

    noisy = False  # do not log each start and stop of the factory

    urgent_in_line = False
    """Whether the listening socket has SO_OOBINLINE, which connections inherit."""
    prepare_socket: Callable[[Any], None] | None = None
    """Called with the socket of each connection, to set the options that it does not inherit."""

    def __init__(
        self,
        protocol: Callable[[], Any] | None = None,
        registry: Registry | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self.protocol = protocol
        self.registry = registry if registry is not None else Registry([ConnectionLog()])
        self.tls = tls

    @classmethod
    def forProtocol(cls, protocol: Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Make a factory for `protocol`. Other arguments are passed to the factory."""
        return cls(protocol, *args, **kwargs)

    def makeProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002
        """Make the protocol for a connection from `addr`; None refuses the connection."""
        protocol: Any = self.protocol()  # type: ignore[misc]
        protocol.factory = self
        return protocol

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make the protocol for a connection, on a `ServerConnection`; called by Twisted."""
        protocol = self.makeProtocol(addr)
        return None if protocol is None else ServerConnection(protocol, self)


class ServedFactory(LineFactory):
    """Serves the protocols that another factory builds, of any kind."""

    def __init__(
        self, factory: IProtocolFactory, registry: Registry, tls: SSLContext | None = None
    ) -> None:
        super().__init__(None, registry, tls)
        self._served = factory

    def makeProtocol(self, addr: IAddress | None) -> Any:
        """Have the other factory build the protocol."""
        return self._served.buildProtocol(addr)  # type: ignore[arg-type]

    def logPrefix(self) -> str:
        """Return the name in Twisted's log, where ports start and stop."""
        return LineFactory.__name__

    def doStart(self) -> None:
        """Start the other factory as well."""
        super().doStart()
        self._served.doStart()

    def doStop(self) -> None:
        """Stop the other factory as well."""
        super().doStop()
        self._served.doStop()
