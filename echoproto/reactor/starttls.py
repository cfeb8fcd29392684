"""`StartTLS`: a connection that goes on with TLS.

TLS becomes the protocol of the connection. From then on the methods that the protocol before
calls, on the same connection, go to TLS; what TLS sends goes to `_BelowTLS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import ISSLTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import directlyProvides

from echoproto.reactor.sending import Sender, join
from echoproto.reactor.tls import LosslessTLS

if TYPE_CHECKING:
    from collections.abc import Iterable


class StartTLS(Sender):
    """A sender above TLS, once that has begun."""

    __slots__ = ()

    protocol: Any

    TLS = False
    _below_tls: _BelowTLS | None = None

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        """Go on with TLS: as its server, or with `normal` false as its client."""
        producer, streaming = self.producer, self.streamingProducer
        if producer is not None:
            self.unregisterProducer()
        no_factory: Any = None
        factory = TLSMemoryBIOFactory(contextFactory, not normal, no_factory)
        tls: Any = LosslessTLS(factory, self._protocol, False)
        below = self._below_tls = _BelowTLS(self)
        self.TLS = True
        self._writer = self.protocol = tls
        instance: Any = self  # of which these are attributes, as in Twisted
        instance.getHandle = tls.getHandle
        instance.getPeerCertificate = tls.getPeerCertificate
        directlyProvides(self, ISSLTransport)
        tls.makeConnection(below)
        if producer is not None:
            self.registerProducer(producer, streaming)

    def _write_to(self, writer: Any) -> None:
        (self._below_tls or self)._writer = writer

    def _top(self) -> Any:
        return self._protocol if self.TLS and self.connected else super()

    def loseConnection(self) -> None:
        """Close the connection, once all is sent, and what a paused producer still gives."""
        self._top().loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from a producer until it is unregistered.

        Raises RuntimeError if there is one already.
        """
        self._top().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Take no more from the producer."""
        self._top().unregisterProducer()


class _BelowTLS:
    """What TLS, the protocol of a connection, has as transport: its methods as without TLS."""

    def __init__(self, connection: StartTLS) -> None:
        self._connection = connection
        self._writer = connection._writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self._writer.write(join(iovec))

    def loseConnection(self) -> None:
        Sender.loseConnection(self._connection)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        Sender.registerProducer(self._connection, producer, streaming)

    def unregisterProducer(self) -> None:
        Sender.unregisterProducer(self._connection)
