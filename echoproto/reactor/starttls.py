"""`StartTLS`: a connection that can change to TLS.

After `startTLS`, TLS is the protocol of the connection, and the previous protocol is above TLS. The
previous protocol keeps this connection as its transport; its calls then go to TLS. The transport of
TLS is a `_BelowTLS`, which bypasses that.

`sending`, `data` and `tls` are below this module, and `transport` is above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import ISSLTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import directlyProvides

from echoproto.reactor.data import join
from echoproto.reactor.sending import Sender
from echoproto.reactor.tls import LosslessTLS

if TYPE_CHECKING:
    from collections.abc import Iterable


class StartTLS(Sender):
    """A sender that passes its calls to TLS after `startTLS`."""

    __slots__ = ()

    protocol: Any

    TLS = False
    _below_tls: _BelowTLS | None = None

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        """Start TLS on this connection, as ITLSTransport defines.

        Act as the TLS server if `normal` is true, otherwise as the TLS client.
        """
        producer, streaming = self.producer, self.streamingProducer
        if producer is not None:
            self.unregisterProducer()
        no_factory: Any = None
        factory = TLSMemoryBIOFactory(contextFactory, not normal, no_factory)
        tls: Any = LosslessTLS(factory, self._protocol, False)
        below = self._below_tls = _BelowTLS(self)
        self.TLS = True
        self._writer = self.protocol = tls
        instance: Any = self  # as in Twisted, these are attributes of the instance
        instance.getHandle = tls.getHandle
        instance.getPeerCertificate = tls.getPeerCertificate
        directlyProvides(self, ISSLTransport)
        tls.makeConnection(below)
        if producer is not None:
            self.registerProducer(producer, streaming)

    def _set_writer(self, writer: Any) -> None:
        (self._below_tls or self)._writer = writer

    def _top(self) -> Any:
        """Return the object that implements the calls of the application: TLS, or this class."""
        return self._protocol if self.TLS and self.connected else super()

    def loseConnection(self) -> None:
        """Close the connection after everything has been sent.

        A paused push producer, or any pull producer, is resumed first, and its data is sent too.
        """
        self._top().loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from `producer` until it is unregistered.

        Raises RuntimeError if another producer is registered.
        """
        self._top().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Unregister the producer."""
        self._top().unregisterProducer()


class _BelowTLS:
    """The transport of TLS: the connection, with its methods as they are without TLS."""

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
