"""The TLS of the reactor's `listenSSL` and `startTLS`: it still sends after the client has ended.

When the client ends its side, Twisted's own TLS closes at once, and drops everything that the
protocol wrote in the same turn of the reactor.

`data` is below this module. `reactor` and `starttls` use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from echoproto.reactor.data import to_bytes

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from twisted.internet.interfaces import ITransport


@implementer(IHalfCloseableProtocol)
class LosslessTLS(TLSMemoryBIOProtocol):
    """TLS that sends everything that the protocol has already written, and only then closes.

    The client may end its side with close_notify (RFC 8446, section 6.1), as the RFC requires, or
    only half-close its TCP connection.
    """

    transport: ITransport

    def write(self, data: ReadableBuffer) -> None:
        """Send `data`. Raises TypeError if `data` is not bytes-like."""
        super().write(data if type(data) is bytes else to_bytes(data))

    def readConnectionLost(self) -> None:
        """Handle the end of TCP without close_notify: send all pending data, then close."""
        if self._handshakeDone:  # before the handshake, loseConnection resets the connection
            self.loseConnection()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Ignore that the local half-close is done."""
