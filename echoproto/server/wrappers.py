"""Deals with what Twisted may have put between a connection and its socket: wrappers and TLS.

A Twisted `ProtocolWrapper` (`haproxy:`, `TimeoutFactory`, TLS) hides its protocol from the
transport. Twisted's own reactors then find nothing that can half-close, and drop unsent data when
the peer half-closes. `forward_half_close` therefore has the transport at the bottom notify the
connection directly.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from echoproto.server.backpressure import MAX_TURN_INPUT
from echoproto.wire.framing import END_OF_CR

if TYPE_CHECKING:
    from echoproto.server.connection import ServerConnection


def bottom_transport(transport: Any) -> Any:
    """Return the transport that owns the socket, below all wrappers and Twisted's TLS."""
    top = _top_of(transport)
    while isinstance(top, ProtocolWrapper):
        top = top.transport
    return top


def _top_of(transport: Any) -> Any:
    """Return the outermost wrapper on `transport`: after `startTLS`, its protocol (TLS)."""
    if not getattr(transport, "TLS", False):
        return transport
    tls = transport.protocol
    return tls.lowest if isinstance(tls, HalfCloseForwarder) else tls


def is_twisted_tls(transport: Any) -> bool:
    """Whether `transport` uses Twisted's TLS, which claims to half-close but cannot."""
    return (
        getattr(transport, "TLS", False) or wrapper_of(transport, TLSMemoryBIOProtocol) is not None
    )


def forward_half_close(
    transport: Any, connection: ServerConnection, *, after_cr: bool = False
) -> Any:
    """Have the transport at the bottom notify `connection` when the peer half-closes.

    This also makes Twisted's TLS write immediately. It would otherwise write in the reactor's next
    turn, when the connection may be closed already. With `after_cr`, an LF or NUL that arrives
    first is dropped (`wire.tls` says why). Return Twisted's TLS and the forwarder, or None.
    """
    tls = wrapper_of(transport, TLSMemoryBIOProtocol)
    if tls is not None:
        tls.write = partial(TLSMemoryBIOProtocol.write, tls)
        tls.writeSequence = partial(TLSMemoryBIOProtocol.writeSequence, tls)
    bottom = transport if getattr(transport, "TLS", False) else bottom_transport(transport)
    lowest = getattr(bottom, "protocol", connection)
    if lowest is connection or isinstance(lowest, HalfCloseForwarder):
        return tls, None
    forwarder = HalfCloseForwarder(lowest, connection, holds=tls is not None, after_cr=after_cr)
    bottom.protocol = forwarder
    return tls, forwarder


def let_go(transport: Any, tls: Any) -> None:
    """Remove what makes Twisted's `tls` on a lost `transport` refer to itself.

    `forward_half_close` has set two of these attributes, and Twisted's `startTLS` the others.
    """
    for owner, names in (
        (tls, ("write", "writeSequence")),
        (transport, ("getHandle", "getPeerCertificate")),
    ):
        for name in names:
            vars(owner).pop(name, None)


def wrapper_of(transport: Any, kind: type[ProtocolWrapper]) -> Any:
    """Return the wrapper of that kind in or on `transport`, or None."""
    top = _top_of(transport)
    while isinstance(top, ProtocolWrapper):
        if isinstance(top, kind):
            return top
        top = top.transport
    return None


@implementer(IHalfCloseableProtocol)
class HalfCloseForwarder:
    """Delegates everything except half-close, which goes to the connection, to `lowest`.

    If `holds`, `lowest` is Twisted's TLS, which cannot hold anything back: when the peer sends
    close_notify, it would lose that. Of what arrives, TLS therefore gets MAX_TURN_INPUT bytes in a
    turn of the reactor, and nothing while the connection has paused. Call `deliver` to continue.
    """

    def __init__(
        self, lowest: Any, connection: ServerConnection, *, holds: bool, after_cr: bool
    ) -> None:
        self.lowest = lowest
        self._connection = connection
        self._after_cr = after_cr
        self._held = b""
        self._has_ended = False  # after what is held
        self.dataReceived = self._receive if holds or after_cr else lowest.dataReceived
        self.writeConnectionLost = connection.writeConnectionLost

    def _receive(self, data: bytes) -> None:
        if self._after_cr:
            self._after_cr = False
            data = data[data.startswith(END_OF_CR) :]
        self._held += data
        self.deliver()

    def deliver(self) -> None:
        """Pass on what is held, up to the end of the turn or a pause."""
        connection = self._connection
        while self._held and not connection.paused:
            piece, self._held = self._held[:MAX_TURN_INPUT], self._held[MAX_TURN_INPUT:]
            self.lowest.dataReceived(piece)
            if self._held:
                connection.pause_for_turn()
        if self._has_ended and not self._held:
            self._has_ended = False
            connection.readConnectionLost()

    def readConnectionLost(self) -> None:
        """Handle the half-close of the peer."""
        self._has_ended = True
        self.deliver()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lowest, name)
