"""The TLS of the reactor's `listenSSL` and `startTLS`: it still sends after the client has ended.

When the client ends its side, Twisted's own TLS closes at once, and drops everything that the
protocol wrote in the same turn of the reactor.

Nothing in this package is below this module. `reactor` and `starttls` use it.
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
    """TLS that sends everything that the protocol has already written, and only then closes.

    The client may end its side with close_notify (RFC 8446, section 6.1), as the RFC requires, or
    only half-close its TCP connection.
    """

    transport: ITransport

    def readConnectionLost(self) -> None:
        """Handle the end of TCP without close_notify: send all pending data, then close."""
        if self._handshakeDone:  # before the handshake, loseConnection resets the connection
            self.loseConnection()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Ignore that the local half-close is done."""
