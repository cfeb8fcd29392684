"""Backpressure: a client that does not read what it is sent is not read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IConsumer, IHalfCloseableDescriptor, IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from echoproto.server.telnet import TelnetTransport

if TYPE_CHECKING:
    from echoproto.server.protocol import LineProtocol

# Who has paused a protocol. It reads on when nobody has.
BY_CALLER: Final = 1
BY_TRANSPORT: Final = 2


def bottom_of(transport: Any) -> Any:
    """The transport below telnet and TLS."""
    if isinstance(transport, TelnetTransport):
        transport = transport.wrapped
    if getattr(transport, "TLS", False):
        transport = transport.protocol  # of `startTLS`: TLS, on a transport that is TCP alone
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


def can_half_close(transport: Any) -> bool:
    """Whether `transport` is one that half-closes: TLS is none, though it says so."""
    if isinstance(transport, TelnetTransport):
        transport = transport.wrapped
    return bottom_of(transport) is transport and IHalfCloseableDescriptor.providedBy(transport)


@implementer(IPushProducer)
class Backpressure:
    """The producer that a connection is for its own transport.

    The transport pauses it when too much is unsent (64 KiB in Twisted), and resumes it when all is
    sent. It is not the protocol itself, so that a protocol that has paused for a reason of its own
    is not resumed by the transport.

    It takes the place at the bottom, not in TLS: TLS puts off loseConnection while it has a
    producer.
    """

    __slots__ = ("_protocol", "_transport")

    def __init__(self, protocol: LineProtocol) -> None:
        self._protocol = protocol
        self._transport = bottom_of(protocol.transport)
        if IConsumer.providedBy(self._transport):
            self._transport.registerProducer(self, streaming=True)

    def unregister(self) -> None:
        """Give up the producer's place."""
        if IConsumer.providedBy(self._transport):
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Too much is unsent."""
        self._protocol.pause_by(BY_TRANSPORT)

    def resumeProducing(self) -> None:
        """All is sent."""
        if self._transport.disconnecting:
            # Twisted closes only once the producer is gone.
            self._transport.unregisterProducer()
        else:
            self._protocol.resume_by(BY_TRANSPORT)

    def stopProducing(self) -> None:
        """The connection is lost: there is nothing to stop."""
