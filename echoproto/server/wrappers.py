"""What Twisted may have put between a connection and its socket: wrappers, and its own TLS.

A Twisted `ProtocolWrapper` (`haproxy:`, `TimeoutFactory`, TLS) hides the protocol in it from the
transport: on Twisted's own reactors the transport finds nothing that can half-close, and drops what
is unsent when the peer does. So the transport at the bottom is told to call the connection.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

if TYPE_CHECKING:
    from echoproto.server.connection import ServerConnection


def bottom_transport(transport: Any) -> Any:
    """The transport that has the socket, below all wrappers and Twisted's TLS."""
    top = _top_of(transport)
    while isinstance(top, ProtocolWrapper):
        top = top.transport
    return top


def _top_of(transport: Any) -> Any:
    """The outermost wrapper on `transport`: after its `startTLS` that is its protocol, TLS."""
    if not getattr(transport, "TLS", False):
        return transport
    tls = transport.protocol
    return tls.lowest if isinstance(tls, _HalfCloseForwarder) else tls


def is_twisted_tls(transport: Any) -> bool:
    """Whether Twisted's TLS is on `transport`: it has no half-close, though it says so."""
    return getattr(transport, "TLS", False) or _tls_of(transport) is not None


def forward_half_close(transport: Any, connection: ServerConnection) -> None:
    """Have the transport at the bottom tell `connection` that the peer has half-closed.

    Twisted's TLS gets to write at once, too: in the reactor's next turn, when it would write, the
    connection may be gone already.
    """
    tls = _tls_of(transport)
    if tls is not None:
        tls.write = partial(TLSMemoryBIOProtocol.write, tls)
        tls.writeSequence = partial(TLSMemoryBIOProtocol.writeSequence, tls)
    bottom = transport if getattr(transport, "TLS", False) else bottom_transport(transport)
    lowest = getattr(bottom, "protocol", connection)
    if lowest is not connection and not isinstance(lowest, _HalfCloseForwarder):
        bottom.protocol = _HalfCloseForwarder(lowest, connection)


def _tls_of(transport: Any) -> Any:
    """Twisted's TLS in or on `transport`, if there is any."""
    top = _top_of(transport)
    while isinstance(top, ProtocolWrapper):
        if isinstance(top, TLSMemoryBIOProtocol):
            return top
        top = top.transport
    return None


@implementer(IHalfCloseableProtocol)
class _HalfCloseForwarder:
    """The lowest wrapper, to the transport below it; but half-close is the connection's."""

    def __init__(self, lowest: Any, connection: ServerConnection) -> None:
        self.lowest = lowest
        self.dataReceived = lowest.dataReceived
        self.readConnectionLost = connection.readConnectionLost
        self.writeConnectionLost = connection.writeConnectionLost

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lowest, name)
