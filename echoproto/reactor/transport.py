"""`Connection`: Twisted's transport for an accepted TCP connection, on top of uvloop's.

uvloop reads, and calls the protocol's `dataReceived` with nothing in between; `write` is uvloop's
own. So an echo costs one Python frame. All else here is about what is rarer; in that, it does as
Twisted's `tcp.Connection` does.

One object has both roles: for uvloop it is the asyncio protocol (`connection_made` and its like),
for the Twisted protocol it is the transport (`loseConnection` and its like).
"""

from __future__ import annotations

import socket
import struct
from asyncio import BaseProtocol
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet import _newtls
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    ILoggingContext,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.python.log import callWithContext, callWithLogger
from zope.interface import implementer

from echoproto.reactor.sending import Sender, ignore, join

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable, Iterable

    from twisted.internet.address import IPv4Address, IPv6Address

    from echoproto.reactor.loop import Loop
    from echoproto.reactor.port import Port
    from echoproto.reactor.reactor import UvloopReactor

log = Logger()

_NO_LINGERING: Final = struct.pack("ii", 1, 0)  # struct linger: on, for 0 seconds


class Handle(socket.socket):
    """The socket of a connection. The descriptor is libuv's, which closes it."""

    def close(self) -> None:
        """Let go of the descriptor."""
        self.detach()


@implementer(
    ITLSTransport,
    ITCPTransport,
    ISystemHandle,
    IPushProducer,
    IConsumer,
    IHalfCloseableDescriptor,
    ILoggingContext,
)
class Connection(Sender, BaseProtocol):
    """A connection that `server`, a `Port`, has accepted.

    The protocol's `dataReceived` is looked up when the connection is made, and when `protocol` is
    set; an attribute of that name that a protocol gives itself later is not seen.
    """

    __slots__ = ("_protocol", "data_received", "server", "sessionno")

    data_received: Callable[[bytes], object]

    TLS = False
    _tlsClientDefault = False
    _aborting = False
    _read_closed = False
    _below_tls: Callable[[bytes], None]
    _handle: Handle | None = None
    _early: list[bytes] | None = None
    _early_end = False
    _paused = False

    def __init__(self, server: Port, sessionno: int) -> None:
        super().__init__()
        self.server = server
        self.sessionno = sessionno
        self._protocol: Any = None

    @property
    def reactor(self) -> UvloopReactor:
        """The reactor."""
        return self.server.reactor

    @property
    def loop(self) -> Loop:  # type: ignore[override] # there it is an attribute
        """The event loop."""
        return self.server.reactor.loop

    @property
    def disconnected(self) -> int:
        """Whether the connection is lost."""
        return int(not self.connected)

    # What is received

    @property
    def protocol(self) -> Any:
        """Who is given what arrives; may be set."""
        return self._protocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        if self._early is None and self.connected:
            self._receive_with(self._receiver())

    def _receiver(self) -> Callable[[bytes], object]:
        received: Callable[[bytes], object] = self._protocol.dataReceived
        protocol = self._protocol
        while isinstance(protocol, ProtocolWrapper):
            protocol = protocol.wrappedProtocol
        if getattr(type(protocol), "logPrefix", None) in (None, Protocol.logPrefix):
            return received
        # It has named itself for the log, which costs a call for all that arrives.
        return partial(callWithContext, {"system": self.logPrefix()}, received)

    def _receive_with(self, received: Callable[[bytes], object]) -> None:
        self.data_received = received
        self._uv.set_protocol(self)  # it looks data_received up

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Make the protocol, and connect it."""
        self._uv = transport
        self.write = transport.write
        peer = transport.get_extra_info("peername")
        if peer is None or not self.server.connected:  # one of the two is gone already
            transport.abort()
        else:
            callWithLogger(self.server, self._make_connection, peer)

    def _make_connection(self, peer: tuple[Any, ...]) -> None:
        factory: Any = self.server.factory
        try:
            protocol = factory.buildProtocol(self._address(peer))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - whatever a factory raises
            log.failure("Unhandled Error")
            protocol = None
        if protocol is None:
            self._uv.abort()
            return
        self.connected = 1
        self.reactor.native.add(self)
        self._uv.resume_reading()
        self.protocol = protocol
        self._guard(partial(protocol.makeConnection, self))
        if not (self._uv.is_reading() or self._uv.is_closing()):
            # It wants nothing yet, but uvloop reads as soon as this returns, whatever was said:
            # what comes until then is kept, data and end, until reading is resumed.
            self._early = []
            self._receive_with(self._hold)
            self.loop.call_soon(self._pause_at_last)

    def _hold(self, data: bytes) -> None:
        self._uv.pause_reading()
        if self._early is not None:
            self._early.append(data)

    def _pause_at_last(self) -> None:
        if self._early is not None:
            self._uv.pause_reading()

    def _deliver_early(self) -> None:
        if self._early is None or self._paused or not self.connected or self.disconnecting:
            return
        data, self._early = b"".join(self._early), None
        self._receive_with(self._receiver())
        if data:
            self._guard(partial(self.data_received, data))
        if not self._paused:
            self._go_on_reading()

    def _go_on_reading(self) -> None:
        if self.connected and not self.disconnecting:
            if self._early_end:
                self._early_end = False
                self.eof_received()
            elif not self._read_closed:
                self._uv.resume_reading()

    # IPushProducer

    @property
    def reading(self) -> bool:
        """Whether what arrives is read."""
        return bool(self.connected) and self._uv.is_reading()

    def pauseProducing(self) -> None:
        """Read no more."""
        self._paused = True
        self._uv.pause_reading()

    def resumeProducing(self) -> None:
        """Read on."""
        if self.connected and not (self.disconnecting or self._read_closed):
            self._paused = False
            if self._early is not None:
                self.loop.call_soon(self._deliver_early)
            elif self._early_end:
                self.loop.call_soon(self._go_on_reading)
            else:
                self._uv.resume_reading()

    stopReading = pauseProducing
    startReading = resumeProducing

    # The end of the connection

    def eof_received(self) -> bool:
        """The peer has sent its last byte. What is returned keeps uvloop from closing."""
        if self._early is not None:
            self._early_end = True
            return True
        self._read_closed = True
        callWithLogger(self, self.readConnectionLost, Failure(ConnectionDone()))
        return True

    def readConnectionLost(self, reason: Failure) -> None:
        """Tell a protocol that can half-close; for another, the connection is lost."""
        protocol = IHalfCloseableProtocol(self._protocol, None)
        if protocol is None:
            self.connectionLost(reason)
        else:
            self._guard(protocol.readConnectionLost)

    def writeConnectionLost(self, reason: Failure) -> None:
        """Nothing can be sent any more."""
        self.connectionLost(reason)

    def connection_lost(self, error: BaseException | None) -> None:
        """The connection is lost: find out why."""
        if error is None:
            error = ConnectionAborted() if self._aborting else ConnectionDone()
        elif isinstance(error, OSError):
            if error.__traceback__ is None:
                error = ConnectionLost()
            elif self.connected:
                # The protocol has raised it, and uvloop takes it for the network's.
                log.failure("Unhandled Error", Failure(error))
        self.connectionLost(Failure(error))

    def connectionLost(self, reason: Failure) -> None:
        """The connection is lost, whoever says so: uvloop, an error, the reactor when it stops."""
        if not self.connected:
            return
        self.connected = 0
        self.reactor.native.discard(self)
        self._set_write(ignore)
        self._uv.abort()
        if self._handle is not None:
            self._handle.close()
        callWithLogger(self, self._tell_lost, reason)

    def _tell_lost(self, reason: Failure) -> None:
        producer, self.producer = self.producer, None
        protocol, self._protocol = self._protocol, None
        del self.data_received
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            protocol.connectionLost(reason)

    def abortConnection(self) -> None:
        """Reset the connection. What is not sent is lost."""
        if self.connected and not self._aborting:
            self._aborting = True
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
            self._uv.abort()

    # Addresses, and the socket and its options: ITCPTransport, ISystemHandle

    def getPeer(self) -> IPv4Address | IPv6Address:
        """The client's address."""
        return self._address(self._uv.get_extra_info("peername"))

    def getHost(self) -> IPv4Address | IPv6Address:
        """The server's address."""
        return self._address(self._uv.get_extra_info("sockname"))

    def _address(self, name: tuple[Any, ...]) -> IPv4Address | IPv6Address:
        if len(name) == 4 and name[3]:  # noqa: PLR2004 - it has a scope, which the host names
            host, _ = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
            name = (host, *name[1:])
        return self.server._addressType("TCP", *name)

    @property
    def _socket(self) -> socket.socket:
        like_a_socket: socket.socket = self._uv.get_extra_info("socket")
        return like_a_socket

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._socket.fileno() if self.connected else -1

    def getHandle(self) -> socket.socket:
        """The socket: for its options, not to read, write or close."""
        if self._handle is None:
            self._handle = Handle(fileno=self.fileno())
            self._handle.setblocking(False)
        return self._handle

    def getTcpNoDelay(self) -> bool:
        """Whether small writes go out at once; uvloop turns that on."""
        return bool(self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Turn TCP_NODELAY on or off."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(enabled))

    def getTcpKeepAlive(self) -> bool:
        """Whether the system looks, from time to time, if a silent peer is still there."""
        return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Turn SO_KEEPALIVE on or off."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(enabled))

    # ITLSTransport: after startTLS, the protocol is TLS, and the methods here are above it

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        """Go on with TLS: as its server, or with `normal` false as its client."""
        self._below_tls = self.write
        _newtls.startTLS(self, contextFactory, normal, _BelowTLS)
        self.write = self._protocol.write

    def _set_write(self, write: Callable[[bytes], None]) -> None:
        if self.TLS:
            self._below_tls = write
        else:
            self.write = write

    def loseConnection(self) -> None:
        """Close the connection, once all is sent, and what a paused producer still gives."""
        if not self.TLS:
            super().loseConnection()
        elif self.connected and not self.disconnecting:
            self._protocol.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from a producer until it is unregistered.

        Raises RuntimeError if there is one already.
        """
        if self.TLS:
            self._protocol.registerProducer(producer, streaming)
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Take no more from the producer."""
        if self.TLS:
            self._protocol.unregisterProducer()
        else:
            super().unregisterProducer()

    # For the log

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        name = self._protocol.__class__.__name__
        if ILoggingContext.providedBy(self._protocol):
            name = self._protocol.logPrefix()
        return f"{name},{self.sessionno},{self.getPeer().host}"

    logstr = property(logPrefix)

    def __repr__(self) -> str:
        return f"<{self._protocol.__class__.__name__} #{self.sessionno} on {self.getHost().port}>"

    socket = property(getHandle)


class _BelowTLS:
    """What TLS calls on a connection of which it is the protocol: its methods as without TLS."""

    loseConnection = Sender.loseConnection
    registerProducer = Sender.registerProducer
    unregisterProducer = Sender.unregisterProducer

    @staticmethod
    def write(connection: Connection, data: bytes) -> None:
        connection._below_tls(data)

    @staticmethod
    def writeSequence(connection: Connection, iovec: Iterable[bytes]) -> None:
        connection._below_tls(join(iovec))
