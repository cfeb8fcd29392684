"""TLS that answers a client that has ended: what `listenSSL` and `startTLS` of the reactor make.

Twisted's own closes at once when the client says that it has sent its last byte, and drops what the
protocol wrote in the same turn of the reactor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.interfaces import ITransport


@implementer(IHalfCloseableProtocol)
class LosslessTLS(TLSMemoryBIOProtocol):
    """TLS that sends what a protocol writes at once, and all of it before it closes.

    This holds for a client that ends with close_notify (RFC 8446, section 6.1), as it should, and
    for one that only closes the sending side of its TCP connection.
    """

    transport: ITransport

    def readConnectionLost(self) -> None:
        """TCP has ended without close_notify: send what there is, and close."""
        if self._handshakeDone:  # Twisted's name; before, loseConnection resets the connection
            self.loseConnection()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""
