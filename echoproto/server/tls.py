"""TLS that loses nothing when the client ends its side of the connection.

Twisted has no half-close for TLS. Its own transport, when the client says that it has sent its
last byte, closes at once and drops what the protocol wrote in the same turn of the reactor.

Here, what was received is answered, the answer is sent, and then the connection is closed. This
holds for a client that ends with close_notify (RFC 8446, 6.1), as it should, and for one that only
closes the sending side of its TCP connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.interfaces import ITransport


@implementer(IHalfCloseableProtocol)
class LosslessTLS(TLSMemoryBIOProtocol):
    """A TLS transport that writes at once, not in the reactor's next turn."""

    transport: ITransport

    def readConnectionLost(self) -> None:
        """TCP has ended without close_notify: send what there is, and close."""
        self.loseConnection()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""


def make_lossless(factory: object) -> None:
    """Use `LosslessTLS` in the TLS that stands around a listening port's factory, if any."""
    while isinstance(factory, WrappingFactory):
        if isinstance(factory, TLSMemoryBIOFactory):
            factory.protocol = LosslessTLS
        factory = factory.wrappedFactory
