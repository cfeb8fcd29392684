"""`ServerConnection`: what stands between a Twisted transport and a protocol.

To the reactor it is the protocol, and to the protocol it is the transport. Between the two is a
pipeline of layers (`wire.layer`): TLS where the listener says so or `startTLS` is called, and
telnet once the client shows it. A plain connection has none, and bytes pass through as they are.

It also does what every protocol wants of a connection: it counts bytes, it stops reading from a
peer that does not read (`backpressure`), and it answers a peer that half-closes (`ending`).
"""

from __future__ import annotations

import socket
import ssl
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IHandshakeListener,
    ILoggingContext,
    INegotiated,
    ISSLTransport,
    ISystemHandle,
    ITCPTransport,
    IUNIXTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from zope.interface import implementedBy, implementer, providedBy

from echoproto.errors import NotTelnetError
from echoproto.server.backpressure import BY_PROTOCOL, BY_TRANSPORT, Backpressure
from echoproto.server.ending import Ending, Event, State
from echoproto.server.stack import IAC, Stack
from echoproto.server.telnet_layer import may_be_telnet
from echoproto.server.wrappers import bottom_transport, forward_half_close, is_twisted_tls
from echoproto.wire.telnet.commands import TelnetStarted
from echoproto.wire.tls import TLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IReactorTime, ITransport
    from twisted.python.failure import Failure

    from echoproto.server.factory import LineFactory
    from echoproto.wire.telnet.negotiation import Side
    from echoproto.wire.telnet.scanner import TelnetMode

_declarations: dict[Any, Any] = {}


@implementer(IHalfCloseableProtocol, IHandshakeListener, ILoggingContext)
class ServerConnection:
    """A connection on which `protocol` is served.

    `factory` is the `LineFactory` that accepted it: it has the registry to tell of it, and what
    was set for the listener. A connection that has taken over another factory's transport has none.

    `number`, `opened` (monotonic clock) and `bytes_received` are for observers.
    For the protocol it is a transport that can do all that the one below it can.
    """

    # What every connection has is in slots; __dict__ is made for one that needs more.
    __slots__ = (
        "__dict__",
        "_backpressure",
        "_bytes_received",
        "disconnecting",
        "ending",
        "factory",
        "number",
        "opened",
        "paused",
        "protocol",
        "stack",
        "transport",
    )

    read_lost = False
    """The transport has nothing more to read."""
    reason: Failure | None = None
    """Why the connection is lost, where the transport cannot know it."""
    _delivering = False  # delivering what was held while paused
    _produces = False  # the protocol has registered a producer of its own
    _deferred_close: Callable[[], None] | None = None  # what is to be done once it has not

    def __init__(self, protocol: Any, factory: LineFactory | None = None) -> None:
        self.protocol = protocol
        self.factory = factory
        self.transport: Any = None
        self.number = 0
        self.opened = 0.0
        self._bytes_received = 0
        self.paused = 0  # by BY_PROTOCOL, BY_TRANSPORT or both
        self.disconnecting = False
        self.stack: Stack | None = None
        self.ending: Ending | None = None
        self._backpressure: Backpressure | None = None

    @classmethod
    def take_over(cls, transport: Any, protocol: Any) -> bool:
        """Stand between `transport` and `protocol`, which another factory has joined.

        That is possible on a transport of a reactor, which has an attribute that says whom it
        calls. Then the protocol is connected. False, and nothing, if it is not possible: on the
        transports of tests, say.
        """
        if ISystemHandle.providedBy(bottom_transport(transport)):
            for name in ("protocol", "wrappedProtocol"):
                if getattr(transport, name, None) is protocol:
                    connection = cls(protocol)
                    setattr(transport, name, connection)
                    connection.makeConnection(transport)
                    return True
        return False

    @property
    def __providedBy__(self) -> Any:
        """Declare all that the transport below provides, too."""
        below = providedBy(self.transport)
        if below not in _declarations:
            _declarations[below] = below + implementedBy(type(self))
        return _declarations[below]

    @property
    def wrappedProtocol(self) -> Any:
        """The protocol, by the name that it has in Twisted's wrappers."""
        return self.protocol

    def logPrefix(self) -> str:
        """What Twisted's old log calls it: as it calls the protocol."""
        if ILoggingContext.providedBy(self.protocol):
            return str(self.protocol.logPrefix())
        return type(self.protocol).__name__

    @property
    def bytes_received(self) -> int:
        """How many bytes have come, those of telnet as well; on TLS, what they were decrypted."""
        tls = self.stack.tls if self.stack is not None else None
        return self._bytes_received + (tls.received if tls is not None else 0)

    # IProtocol, IHalfCloseableProtocol, IHandshakeListener: what the reactor calls

    def makeConnection(self, transport: ITransport) -> None:
        """Stand on `transport`, and connect the protocol."""
        self.transport = transport
        forward_half_close(transport, self)
        mode: TelnetMode = getattr(self.protocol, "telnet", "never")
        factory = self.factory
        if mode != "never" and not (factory and factory.urgent_in_line):
            bottom = bottom_transport(transport)
            if ISystemHandle.providedBy(bottom):
                receive_urgent_in_line(bottom.getHandle())
        if factory is not None:
            factory.registry.opened(self)
            if factory.tls is not None:
                (self.stack or self._add_stack()).add_tls(TLS(factory.tls, server_side=True))
        if self.disconnecting:  # an observer refuses it
            self.protocol, mode = Protocol(), "never"
        else:
            self._register_backpressure()
        telnet = None
        if mode == "always":
            telnet = (self.stack or self._add_stack()).add_telnet(mode)
            self.telnet_started()
        self.protocol.makeConnection(self)
        if telnet is not None:
            telnet.dispatch(TelnetStarted())

    def dataReceived(self, data: bytes) -> None:
        """Pass `data` on, through the layers if there are any."""
        stack = self.stack
        if stack is None or stack.tls is None:
            self._bytes_received += len(data)
        if stack is None:
            if IAC not in data or not may_be_telnet(self.protocol):
                if not self.disconnecting:
                    self.protocol.dataReceived(data)
                return
            stack = self._add_stack()
            stack.add_telnet("auto")
        stack.receive(data)

    def readConnectionLost(self) -> None:
        """The peer has half-closed."""
        self.read_lost = True
        if self.stack is None:
            self.handle_ending(Event.PEER_ENDED)
        else:
            self.stack.eof()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""
        self.handle_ending(Event.SENT)
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def handshakeCompleted(self) -> None:
        """Twisted's own TLS is on. If `startTLS` began it, it took our producer along, into TLS."""
        if self._backpressure is not None:
            self._unregister_backpressure()
            self._register_backpressure()
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is lost: what a protocol that has paused did not take is lost with it."""
        self.handle_ending(Event.LOST)
        reason = self.reason or reason
        if self.factory is not None:
            self.factory.registry.closed(self, reason)
        self.protocol.connectionLost(reason)

    # How it ends: what `ending` says is to be done

    def handle_ending(self, event: Event) -> None:
        """Tell `ending` what has happened; it acts on it."""
        if self.ending is None:
            self.ending = Ending(self)
        self.ending.handle(event)

    @property
    def is_open(self) -> bool:
        """Whether nothing has happened that leads to the end."""
        return self.ending is None or self.ending.state is State.OPEN

    @property
    def closed_by_us(self) -> bool:
        """Whether our side was the first to end."""
        return self.ending is not None and self.ending.is_ours

    @property
    def clock(self) -> IReactorTime:
        """The reactor of the transport."""
        clock: IReactorTime = bottom_transport(self.transport).reactor
        return clock

    def deliver_end(self) -> None:
        """Deliver the end, unless the protocol has paused: it still holds data from before it."""
        if not (self.paused or getattr(self.protocol, "paused", False)):
            self.handle_ending(Event.DELIVERED)

    def notify_end(self) -> None:
        """Tell the protocol; one that does not know half-close is closed, once all is sent."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def half_close(self) -> None:
        """End our side, once all is sent, and read on, for nothing but the peer's end."""
        if self.paused:
            self.resume(self.paused)
        self.loseWriteConnection()

    def close(self) -> None:
        """Close the transport, once all is sent."""
        if self._waits_for_producer(self.close):
            return
        self._finish()
        self.transport.loseConnection()
        # Twisted's TLS would wait for the peer's close_notify.
        if self.read_lost or is_twisted_tls(self.transport):
            bottom_transport(self.transport).loseConnection()

    def _waits_for_producer(self, action: Callable[[], None]) -> bool:
        """Put `action` off while the protocol has a producer, as Twisted's transports do.

        They do so themselves, but TLS would be over by then.
        """
        if self._produces and (self._has_tls or is_twisted_tls(self.transport)):
            self._deferred_close = action
            return True
        return False

    def _finish(self) -> None:
        self._unregister_backpressure()
        if self.stack is not None:
            self.stack.finish()

    # ITransport and its like: what the protocol calls. What is not here is the transport's.

    def write(self, data: bytes) -> None:
        """Send data."""
        if self.stack is None:
            self.transport.write(data)
        else:
            self.stack.send(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send data that is in pieces."""
        self.write(b"".join(data))

    @property
    def _has_tls(self) -> bool:
        return self.stack is not None and self.stack.tls is not None

    def loseConnection(self) -> None:
        """Close the connection, once all is sent."""
        answers = is_twisted_tls(self.transport) or (
            self.stack is not None and self.stack.peer_answers_end
        )
        self.handle_ending(Event.FINISH if answers else Event.CLOSE)

    def loseWriteConnection(self) -> None:
        """Half-close the connection, once all is sent; where it cannot be, close it."""
        if self._waits_for_producer(self.loseWriteConnection):
            return
        self._finish()
        can_half_close = IHalfCloseableDescriptor.providedBy(self.transport)
        if self._has_tls:
            self.handle_ending(Event.SENT)
        elif is_twisted_tls(self.transport):
            self.transport.loseConnection()
            self.handle_ending(Event.SENT)
        elif can_half_close:
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        """Reset the connection at once. What is not sent is lost."""
        self.handle_ending(Event.ABORT)
        self.transport.abortConnection()

    def startTLS(self, context: Any, normal: bool = True) -> None:  # noqa: FBT001, FBT002
        """Go on with TLS, as its server, or with `normal` false as its client.

        `context` is an ssl.SSLContext, or a Twisted context factory. What was written before goes
        out before, in the clear; what the peer has sent behind the line that asked for TLS is TLS.
        """
        clear = getattr(self.protocol, "clearLineBuffer", bytes)
        rest = clear()
        stack = self.stack
        if stack is not None:
            stack.flush()
            rest += stack.telnet.take_rest() if stack.telnet is not None else b""
        if isinstance(context, ssl.SSLContext):
            stack, tls = stack or self._add_stack(), TLS(context, server_side=normal)
            tls.receive(rest)  # which takes it: it has been through the layers below already
            stack.add_tls(tls)
            stack.receive(b"")
            return
        self._unregister_backpressure()
        self.transport.startTLS(context, normal)
        forward_half_close(self.transport, self)
        self._register_backpressure()
        if rest:
            self.transport.protocol.dataReceived(rest)

    def getPeer(self) -> Any:
        """The address of the peer."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Our own address."""
        return self.transport.getHost()

    # IPushProducer and IConsumer: pausing, by the protocol and by the transport

    def pauseProducing(self) -> None:
        """Read nothing, and deliver nothing, until `resumeProducing` is called."""
        self.pause(BY_PROTOCOL)

    def resumeProducing(self) -> None:
        """Deliver what has arrived, and read on."""
        self.resume(BY_PROTOCOL)

    def stopProducing(self) -> None:
        """Deliver nothing more, and close the connection."""
        self.pause(BY_PROTOCOL)
        self.loseConnection()

    def pause(self, who: int) -> None:
        """Pause until `who` resumes.

        Once we are closing, do nothing: the peer's end is still to come, and it must be read.
        """
        if self.disconnecting:
            return
        self.paused |= who
        if hasattr(self.protocol, "paused"):  # a LineReceiver, which may hold lines
            self.protocol.paused = True
        self.transport.pauseProducing()

    def resume(self, who: int) -> None:
        """Resume, unless someone else has paused too."""
        self.paused &= ~who
        holds_lines = hasattr(self.protocol, "paused")
        if holds_lines:
            self.protocol.paused = bool(self.paused)
        if self.paused:
            return
        if not self.read_lost:
            self.transport.resumeProducing()
        if not self._delivering:
            self._delivering = True
            try:
                self._deliver_held(holds_lines=holds_lines)
            finally:
                self._delivering = False

    def _deliver_held(self, *, holds_lines: bool) -> None:
        """Deliver what is held, in its order: by the protocol, by the layers, and the end."""
        if holds_lines and not self.disconnecting:
            self.protocol.dataReceived(b"")  # that is how a LineReceiver goes on
        if self.stack is not None:
            self.stack.receive(b"")
        if self.ending is not None and self.ending.state in (State.ENDED, State.EOF):
            self.deliver_end()

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Take data from a producer until it is unregistered; it replaces ours so long."""
        self._unregister_backpressure()
        self._produces = True
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Take no more from the producer."""
        self._produces = False
        self.transport.unregisterProducer()
        action, self._deferred_close = self._deferred_close, None
        if action is not None:
            self.clock.callLater(0, action)  # what is still written now, at its end, is sent before
        elif not self.disconnecting:
            self._register_backpressure()

    def _register_backpressure(self) -> None:
        bottom = bottom_transport(self.transport)
        if IConsumer.providedBy(bottom):
            self._backpressure = Backpressure(self)
            bottom.registerProducer(self._backpressure, True)

    def _unregister_backpressure(self) -> None:
        if self._backpressure is not None:
            self._backpressure = None
            bottom_transport(self.transport).unregisterProducer()
            if self.paused & BY_TRANSPORT:
                self.resume(BY_TRANSPORT)

    # Layers, and telnet for the protocol

    def _add_stack(self) -> Stack:
        self.stack = Stack(self)
        return self.stack

    def telnet_started(self) -> None:
        """The client has shown that it is telnet: tell the registry."""
        if self.factory is not None:
            self.factory.registry.telnet_started(self)

    @property
    def is_telnet(self) -> bool:
        """Whether this is a telnet connection, as far as the client has shown."""
        stack = self.stack
        return stack is not None and stack.telnet is not None and stack.telnet.is_telnet

    @property
    def is_nvt(self) -> bool:
        """Whether it is telnet, and the client's data are lines of text: not in BINARY."""
        stack = self.stack
        return stack is not None and stack.telnet is not None and stack.telnet.is_nvt

    def requestTelnetOption(self, side: Side, option: int, *, on: bool) -> None:
        """Ask a telnet client to agree on an option. Raises ValueError if this is not telnet."""
        if self.stack is None or not self.is_telnet:
            raise NotTelnetError("the client has not shown that it is telnet: see is_telnet")
        self.stack.request(side, option, on=on)


# What a Twisted transport offers beyond the methods above is that of the transport below. There is
# no __getattr__ for it: with one, Python takes twice as long for every other attribute.
_OFFERED: Final = {
    name
    for interface in (ISSLTransport, ITCPTransport, IUNIXTransport, INegotiated, ISystemHandle)
    for name in interface.names(all=True)
} | {"connected", "disconnected", "fileno", "producer", "reactor", "server", "socket"}
for _name in _OFFERED - set(dir(ServerConnection)):
    setattr(ServerConnection, _name, property(attrgetter(f"transport.{_name}")))


def receive_urgent_in_line(handle: Any) -> None:
    """Have the urgent byte of Telnet's Synch come in its place; `handle` is a socket.

    Otherwise TCP takes it out of the stream, and leaves half of a command (RFC 854, page 9; which
    half is urgent depends on the client). What a listening socket accepts inherits it.
    """
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
