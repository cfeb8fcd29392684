"""`ServerConnection`: stands between a Twisted transport and a protocol.

The reactor sees it as the protocol, and the protocol sees it as the transport. Between the two is a
pipeline of layers (`wire.layer`): TLS, if the listener asks for it or `startTLS` is called, and
telnet, as soon as the client negotiates it. A plain connection has no layers: its bytes pass
through unchanged.

It also does what every protocol needs from a connection: it counts bytes, stops reading from a peer
that does not read (`backpressure`), and responds when the peer half-closes (`ending`).
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from itertools import islice
from operator import attrgetter, length_hint
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.error import ConnectionAborted
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
from twisted.python.failure import Failure
from zope.interface import implementedBy, implementer, providedBy

from echoproto.errors import NotTelnetError
from echoproto.reactor.data import join, to_bytes
from echoproto.server.backpressure import (
    BY_PROTOCOL,
    BY_TRANSPORT,
    BY_TURN,
    NO_BUDGET,
    Backpressure,
    new_budget,
)
from echoproto.server.ending import Ending, EndingEvent, State
from echoproto.server.handshake import HandshakeTimeout
from echoproto.server.log import info, log
from echoproto.server.proxy import read_proxy_header
from echoproto.server.sockets import receive_urgent_in_line
from echoproto.server.stack import IAC, Stack
from echoproto.server.telnet_layer import may_be_telnet
from echoproto.server.unsent import unsent_bytes
from echoproto.server.wrappers import (
    HalfCloseForwarder,
    bottom_transport,
    forward_half_close,
    is_twisted_tls,
    let_go,
)
from echoproto.wire.telnet.commands import TelnetStarted
from echoproto.wire.tls import TLS, TLS_HANDSHAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import ReadableBuffer
    from twisted.internet.interfaces import IReactorTime, ITransport

    from echoproto.server.factory import LineFactory
    from echoproto.wire.telnet.negotiation import Side
    from echoproto.wire.telnet.scanner import TelnetMode

_declarations: dict[Any, Any] = {}


@implementer(IHalfCloseableProtocol, IHandshakeListener, ILoggingContext)
class ServerConnection:
    """A connection that serves `protocol`: the `transport` of that protocol.

    It offers everything that the Twisted transport below it offers (ITCPTransport, IUNIXTransport,
    ISSLTransport and others), and besides that half-close, backpressure, TLS and telnet.

    `factory` is the `LineFactory` that accepted the connection. Its registry is notified of the
    connection. It is None if the connection has taken over the transport of another factory.

    After the connection is lost, `protocol` is None.

    `number` counts the connections of a registry, from 1; `opened` is when the connection opened,
    in seconds on the monotonic clock. Whoever handles an event or a line takes an item from
    `budget`, and calls `end_turn` after the last item.
    """

    # Slots hold what every connection has. Python creates __dict__ only for one that needs more.
    __slots__ = (
        "__dict__",
        "_backpressure",
        "_bytes_received",
        "budget",
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
    """Whether the transport has nothing more to read."""
    reason: Failure | None = None
    """Why the connection is lost, if the transport cannot know."""
    _twisted_tls: Any = None
    _forwarder: HalfCloseForwarder | None = None
    _handshake: HandshakeTimeout | None = None  # of a TLS handshake that has not completed
    _delivering = False  # in `_deliver_held`
    _produces = False  # the protocol has registered a producer
    _deferred_close: Callable[[], None] | None = None  # to call when that producer is unregistered

    def __init__(self, protocol: Any, factory: LineFactory | None = None) -> None:
        self.protocol = protocol
        self.factory = factory
        self.transport: Any = None
        self.number = 0
        self.opened = 0.0
        self._bytes_received = 0
        self.paused = 0  # by BY_PROTOCOL, BY_TRANSPORT, BY_TURN or several of them
        self.budget = NO_BUDGET
        self.disconnecting = False
        self.stack: Stack | None = None
        self.ending: Ending | None = None
        self._backpressure: Backpressure | None = None

    @classmethod
    def take_over(cls, transport: Any, protocol: Any) -> bool:
        """Insert a connection between `transport` and `protocol`, which another factory has joined.

        Return whether that was possible; the protocol is connected then. It is possible on the
        transports of reactors, which keep whom they call in an attribute. On the transports that
        tests use, do nothing.
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
        """Provide the interfaces of the transport below as well (zope.interface)."""
        below = providedBy(self.transport)
        if below not in _declarations:
            _declarations[below] = below + implementedBy(type(self))
        return _declarations[below]

    @property
    def wrappedProtocol(self) -> Any:
        """The protocol, under the name that Twisted's wrappers use."""
        return self.protocol

    def logPrefix(self) -> str:
        """Return the protocol's name in Twisted's old log."""
        if ILoggingContext.providedBy(self.protocol):
            return str(self.protocol.logPrefix())
        return type(self.protocol).__name__

    @property
    def bytes_received(self) -> int:
        """Number of bytes received, including telnet's own; on TLS, after decryption."""
        tls = self.stack.tls if self.stack is not None else None
        return self._bytes_received + (tls.received if tls is not None else 0)

    # IProtocol, IHalfCloseableProtocol, IHandshakeListener: what the reactor calls

    def makeConnection(self, transport: ITransport) -> None:
        """Use `transport`, and connect the protocol to this connection."""
        self.transport = transport
        read_proxy_header(transport)
        self._forward_half_close()
        mode: TelnetMode = getattr(self.protocol, "telnet", "never")
        factory = self.factory
        prepare = factory.prepare_socket if factory is not None else None
        if prepare is None and mode != "never" and not (factory and factory.urgent_in_line):
            prepare = receive_urgent_in_line
        if prepare is not None:
            bottom = bottom_transport(transport)
            if ISystemHandle.providedBy(bottom):
                with suppress(OSError):  # some systems refuse this once the peer is gone
                    prepare(bottom.getHandle())
        if factory is not None:
            factory.registry.opened(self)
            if factory.tls is not None:
                (self.stack or self._add_stack()).add_tls(TLS(factory.tls, server_side=True))
                self._begin_handshake()
        if self._twisted_tls is not None:
            self._begin_handshake()
        if self.disconnecting:  # an observer has refused it
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

    def _forward_half_close(self, *, after_cr: bool = False) -> None:
        tls, forwarder = forward_half_close(self.transport, self, after_cr=after_cr)
        if tls is not None:
            self._twisted_tls = tls
        if forwarder is not None:
            self._forwarder = forwarder

    def dataReceived(self, data: bytes) -> None:
        """Pass `data` to the protocol, through the layers if there are any."""
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
        """Handle the half-close of the peer."""
        self.read_lost = True
        if self.stack is None:
            self.handle_ending(EndingEvent.PEER_ENDED)
        else:
            self.stack.eof()

    def writeConnectionLost(self) -> None:
        """Handle the completion of our half-close."""
        self.handle_ending(EndingEvent.SENT)
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def handshakeCompleted(self) -> None:
        """Handle the completion of a handshake by Twisted's TLS.

        If `startTLS` began it, Twisted has moved our producer into TLS: register it below again.
        """
        self.end_handshake()
        if self._backpressure is not None:
            self._unregister_backpressure()
            self._register_backpressure()
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle the loss of the connection, and of everything that was not delivered."""
        self.handle_ending(EndingEvent.LOST)
        reason = self.reason or reason
        if self.factory is not None:
            self.factory.registry.closed(self, reason)
        try:
            self.protocol.connectionLost(reason)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Drop whatever refers back to this connection, the protocol included.

        Everything is then freed at once, and not when the garbage collector next runs: what was
        not sent may be much.
        """
        self.end_handshake()
        if self._twisted_tls is not None:
            let_go(self.transport, self._twisted_tls)
            self._twisted_tls = None
        self._bytes_received = self.bytes_received
        if self.stack is not None:
            self.stack.let_go()
        self._forwarder = None
        self.protocol = self._backpressure = self._deferred_close = None

    # How it ends: the actions that `ending` asks for

    def handle_ending(self, event: EndingEvent) -> None:
        """Pass an event to `ending`, which calls the action that follows from it."""
        if self.ending is None:
            self.ending = Ending(self)
        self.ending.handle(event)

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to end the connection."""
        return self.ending is None or self.ending.state is State.OPEN

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost, or was aborted."""
        return self.ending is not None and self.ending.state is State.LOST

    @property
    def closed_by_us(self) -> bool:
        """Whether our side was the first to end the connection."""
        return self.ending is not None and self.ending.is_ours

    @property
    def unsent(self) -> int:
        """Number of bytes that were written and have not reached the peer."""
        return 0 if self.is_lost else unsent_bytes(self.transport)

    @property
    def clock(self) -> IReactorTime:
        """The reactor of the transport, for timeouts. Transports of tests have none."""
        clock: IReactorTime = bottom_transport(self.transport).reactor
        return clock

    def deliver_end(self) -> None:
        """Report that everything is delivered, unless a pause holds data back."""
        if not (self.paused or getattr(self.protocol, "paused", False)):
            self.handle_ending(EndingEvent.DELIVERED)

    def notify_end(self) -> None:
        """Notify the protocol that the peer has ended; if it cannot half-close, close."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def half_close(self) -> None:
        """End our side as soon as everything has been sent; read on only for the peer's end."""
        if self.paused:
            self.resume(self.paused)
        self.loseWriteConnection()

    def close(self) -> None:
        """Close the transport as soon as everything has been sent."""
        if self._waits_for_producer(self.close):
            return
        self._finish()
        self.transport.loseConnection()
        # Twisted's TLS would wait for the peer's close_notify.
        if self.read_lost or is_twisted_tls(self.transport):
            bottom_transport(self.transport).loseConnection()

    def _waits_for_producer(self, action: Callable[[], None]) -> bool:
        """Defer `action` while the protocol has a producer; return whether it was deferred.

        Twisted's transports wait by themselves, but TLS would have ended before that.
        """
        if self._produces and (self._has_tls or is_twisted_tls(self.transport)):
            self._deferred_close = action
            return True
        return False

    def _finish(self) -> None:
        self._unregister_backpressure()
        if self.stack is not None:
            self.stack.finish()

    # ITransport and more: what the protocol calls. The rest is added below the class.

    def write(self, data: ReadableBuffer) -> None:
        """Send `data`, through the layers. After the end of our side, drop it.

        Any buffer can be sent, and can be changed when this returns. Raises TypeError if `data` is
        not bytes-like.
        """
        if type(data) is not bytes:
            data = to_bytes(data)
        if self.stack is None:
            self.transport.write(data)
        else:
            self.stack.send(data)

    def writeSequence(self, data: Iterable[ReadableBuffer]) -> None:
        """Send several pieces of data. Raises TypeError if a piece is not bytes-like."""
        self.write(join(data))

    @property
    def _has_tls(self) -> bool:
        return self.stack is not None and self.stack.tls is not None

    def loseConnection(self) -> None:
        """Close the connection as soon as everything has been sent."""
        answers = is_twisted_tls(self.transport) or (
            self.stack is not None and self.stack.peer_answers_end
        )
        self.handle_ending(EndingEvent.FINISH if answers else EndingEvent.CLOSE)

    def finish(self) -> None:
        """End our side in order, as soon as everything has been sent; then drop what arrives.

        The connection closes when the peer has ended its side, or after a timeout. Unlike
        `loseConnection`, this cannot reset a peer that is still sending, which would lose what it
        has not read yet.
        """
        can_wait = not self._has_tls or (self.stack is not None and self.stack.peer_answers_end)
        self.handle_ending(EndingEvent.FINISH if can_wait else EndingEvent.CLOSE)

    def drop(self) -> None:
        """Close the connection at once, without a reset.

        The system still sends what it has. What the transport has not passed to it is lost.
        """
        self.handle_ending(EndingEvent.ABORT)
        self.reason = Failure(ConnectionAborted())
        bottom_transport(self.transport).connectionLost(connectionDone)

    def loseWriteConnection(self) -> None:
        """Half-close as soon as everything has been sent; close, where half-close is impossible."""
        # On a lost connection, Twisted's transport would raise an error.
        if self.is_lost or self._waits_for_producer(self.loseWriteConnection):
            return
        self._finish()
        can_half_close = IHalfCloseableDescriptor.providedBy(self.transport)
        if self._has_tls:
            self.handle_ending(EndingEvent.SENT)
        elif is_twisted_tls(self.transport):
            self.transport.loseConnection()
            self.handle_ending(EndingEvent.SENT)
        elif can_half_close:
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        """Reset the connection at once. Data that has not been sent is lost."""
        self.handle_ending(EndingEvent.ABORT)
        self.transport.abortConnection()

    def startTLS(self, context: Any, normal: bool = True) -> None:  # noqa: FBT001, FBT002
        """Continue with TLS, as the server, or with `normal=False` as the client.

        `context` is an ssl.SSLContext, or a Twisted context factory. Data written before this call
        is sent in the clear. What the peer has sent after the line that asked for TLS is read as
        TLS if it begins like TLS. Otherwise it is dropped, and this is logged: text that somebody
        has injected there must not be taken for the peer's (CVE-2011-0411). The outcome goes to
        `handshakeCompleted` of an IHandshakeListener, or as the reason of `connectionLost`.
        """
        rest = self._take_rest()
        after_cr = getattr(self.protocol, "_forget_cr", bool)()
        if isinstance(context, ssl.SSLContext):
            stack = self.stack or self._add_stack()
            tls = TLS(context, server_side=normal, after_cr=after_cr)
            tls.receive(rest)  # it has passed the layers below already
            stack.add_tls(tls)
            self._begin_handshake()
            stack.receive(b"")
            return
        self._unregister_backpressure()
        self.transport.startTLS(context, normal)
        self._forward_half_close(after_cr=after_cr)
        if not self._produces:
            self._register_backpressure()
        self._begin_handshake()
        if rest:
            self.transport.protocol.dataReceived(rest)

    def _take_rest(self) -> bytes:
        """Take what has arrived and was not delivered. Return it if it can be TLS."""
        rest: bytes = getattr(self.protocol, "clearLineBuffer", bytes)()
        if self.stack is not None:
            rest += self.stack.take_rest()
        if rest and not rest.startswith(TLS_HANDSHAKE):
            count = f"{len(rest):,} byte{'s' * (len(rest) != 1)}"
            info(f"[{self.number}] {count} in the clear behind startTLS: dropped", id=self.number)
            return b""
        return rest

    def _begin_handshake(self) -> None:
        if self._handshake is None and not self.is_lost and hasattr(self, "clock"):
            self._handshake = HandshakeTimeout(self)

    def end_handshake(self) -> None:
        """Take note that the TLS handshake has completed, or that the connection is lost."""
        if self._handshake is not None:
            self._handshake.cancel()
            self._handshake = None

    def getPeer(self) -> Any:
        """Return the address of the peer (IAddress)."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Return our own address (IAddress)."""
        return self.transport.getHost()

    # IPushProducer and IConsumer: pausing, by the protocol and by the transport

    def pauseProducing(self) -> None:
        """Stop reading and delivering until `resumeProducing` is called."""
        self.pause(BY_PROTOCOL)

    def resumeProducing(self) -> None:
        """Deliver what has arrived, and continue to read."""
        self.resume(BY_PROTOCOL)

    def stopProducing(self) -> None:
        """Deliver nothing more, and close the connection."""
        self.pause(BY_PROTOCOL)
        self.loseConnection()

    def end_turn(self) -> Iterator[None]:
        """Pause until the next turn of the reactor, and return the budget for it.

        Called when `budget` is used up, so that a peer that sends very many lines or commands does
        not hold up the other connections. Above Twisted's TLS there is no pause: the forwarder
        below it pauses (`wrappers`).
        """
        is_first = self.budget is NO_BUDGET
        self.budget = new_budget()
        if not (is_first or is_twisted_tls(self.transport)):
            self.pause_for_turn()
        return self.budget

    def pause_for_turn(self) -> None:
        """Pause until the next turn of the reactor."""
        if hasattr(self, "clock") and not self.paused & BY_TURN:
            self.pause(BY_TURN)
            self.clock.callLater(0, self._begin_turn)

    def _begin_turn(self) -> None:
        """Continue after the pause. If the protocol raises, log that, and end the connection.

        The reactor does this for what it calls itself, and not for what a timer calls.
        """
        try:
            self.resume(BY_TURN)
        except Exception as error:  # noqa: BLE001 - any exception
            log.failure("Unhandled Error")
            bottom_transport(self.transport).connectionLost(Failure(error))

    def spend(self, count: int) -> None:
        """Take `count` items of the budget, and end the turn if they are used up."""
        next(islice(self.budget, count, count), None)
        if not length_hint(self.budget):
            self.end_turn()

    def pause(self, who: int) -> None:
        """Pause until `who` (BY_PROTOCOL, BY_TRANSPORT or BY_TURN) resumes.

        While we are closing, only BY_TURN pauses, because the peer's end must still be read.
        """
        if self.disconnecting and who != BY_TURN:
            return
        self.paused |= who
        if hasattr(self.protocol, "paused"):  # a LineReceiver, which may have lines pending
            self.protocol.paused = True
        self.transport.pauseProducing()

    def resume(self, who: int) -> None:
        """Resume for `who`; deliver and read only if nothing else has paused."""
        if self.ending is not None and self.is_lost:
            return
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
        """Deliver what is pending, in order: in the protocol, in the layers, below, the end."""
        if holds_lines and not self.disconnecting:
            self.protocol.dataReceived(b"")  # this makes a LineReceiver continue
        if self.stack is not None:
            self.stack.receive(b"")
        if self._forwarder is not None:
            self._forwarder.deliver()
        if self.ending is not None and self.ending.state in (State.ENDED, State.EOF):
            self.deliver_end()

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Register a producer of the protocol, which replaces ours until it is unregistered.

        See IConsumer. Raises RuntimeError if the protocol has registered one already.
        """
        self._unregister_ours()
        self._produces = True
        self.transport.registerProducer(producer, streaming)
        self._end_transport_pause()

    def unregisterProducer(self) -> None:
        """Unregister the producer of the protocol, and restore ours."""
        self._produces = False
        self.transport.unregisterProducer()
        action, self._deferred_close = self._deferred_close, None
        if action is not None:
            self.clock.callLater(0, action)  # data that the producer still writes now comes first
        elif not self.disconnecting:
            self._register_backpressure()

    def _register_backpressure(self) -> None:
        bottom = bottom_transport(self.transport)
        if IConsumer.providedBy(bottom):
            self._backpressure = Backpressure(self)
            bottom.registerProducer(self._backpressure, True)

    def _unregister_backpressure(self) -> None:
        self._unregister_ours()
        self._end_transport_pause()

    def _unregister_ours(self) -> None:
        if self._backpressure is not None:
            self._backpressure = None
            bottom_transport(self.transport).unregisterProducer()

    def _end_transport_pause(self) -> None:
        """Resume, because nobody else would. This may deliver what is pending."""
        if self.paused & BY_TRANSPORT:
            self.resume(BY_TRANSPORT)

    # Layers, and telnet for the protocol

    def _add_stack(self) -> Stack:
        self.stack = Stack(self)
        return self.stack

    def telnet_started(self) -> None:
        """Notify the registry that the client has negotiated telnet."""
        if self.factory is not None:
            self.factory.registry.telnet_started(self)

    @property
    def is_telnet(self) -> bool:
        """Whether this is a telnet connection, according to what the client has sent so far."""
        stack = self.stack
        return stack is not None and stack.telnet is not None and stack.telnet.is_telnet

    @property
    def is_nvt(self) -> bool:
        """Whether it is telnet and the client sends text (RFC 854's NVT), not BINARY."""
        stack = self.stack
        return stack is not None and stack.telnet is not None and stack.telnet.is_nvt

    def requestTelnetOption(self, side: Side, option: int, *, on: bool) -> None:
        """Ask the client to enable or disable a telnet option for `side`.

        Raises NotTelnetError if the connection is not telnet, or not yet.
        """
        if self.stack is None or not self.is_telnet:
            raise NotTelnetError("the client has not shown that it is telnet: see is_telnet")
        self.stack.request(side, option, on=on)


# Everything else that a Twisted transport offers is delegated to the transport below. This does not
# use __getattr__, which would double the time of every other attribute access.
_OFFERED: Final = {
    name
    for interface in (ISSLTransport, ITCPTransport, IUNIXTransport, INegotiated, ISystemHandle)
    for name in interface.names(all=True)
} | {"connected", "disconnected", "fileno", "producer", "reactor", "server", "socket"}
for _name in _OFFERED - set(dir(ServerConnection)):
    setattr(ServerConnection, _name, property(attrgetter(f"transport.{_name}")))
