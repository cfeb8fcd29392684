"""`TCPTransport`: Twisted's transport for an accepted TCP connection, on top of uvloop's.

uvloop reads, and calls the protocol's `dataReceived` with nothing in between; `write` hands on to
uvloop. So an echo costs two Python frames. All else here is about what is rarer; in that, it does
as Twisted's `tcp.Connection` does.

One object has both roles: for uvloop it is the asyncio protocol (`connection_made` and its like),
for the Twisted protocol it is the transport (`loseConnection` and its like).
"""

from __future__ import annotations

import socket
import struct
from asyncio import BaseProtocol
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
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
from twisted.python.failure import Failure
from twisted.python.log import callWithContext
from zope.interface import implementer

from echoproto.reactor.sending import NullWriter
from echoproto.reactor.starttls import StartTLS

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable

    from echoproto.reactor.loop import Loop
    from echoproto.reactor.port import Port
    from echoproto.reactor.reactor import UvloopReactor

log = Logger()

# One for all connections, as in Twisted's reactors.
DONE: Final = Failure(ConnectionDone())
LOST: Final = Failure(ConnectionLost())

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
class TCPTransport(StartTLS, BaseProtocol):
    """A connection that `server`, a `Port`, has accepted.

    The protocol's `dataReceived` is looked up when the connection is made, and when `protocol` is
    set; an attribute of that name that a protocol gives itself later is not seen.
    """

    __slots__ = ("_protocol", "server", "sessionno")

    _aborting = False
    _read_closed = False
    _handle: Handle | None = None
    _paused = False
    _holding = False
    _held: bytes | None = None

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
        if self.connected:
            self._uv.set_protocol(self)

    @property
    def data_received(self) -> Callable[[bytes], object]:
        """Who is called with what arrives; uvloop looks it up in `set_protocol`."""
        if self._holding or self._protocol is None:
            return self._hold
        return self._in_log(self._protocol.dataReceived)

    def _in_log(self, call: Callable[..., object]) -> Callable[..., object]:
        """What to call so that lines of Twisted's old log name the protocol.

        It costs more than all else when a connection comes and goes: so it is done for a protocol
        that has a `logPrefix` of its own.
        """
        protocol = self._protocol
        while (wrapped := getattr(protocol, "wrappedProtocol", None)) is not None:
            protocol = wrapped
        if getattr(type(protocol), "logPrefix", None) in (None, Protocol.logPrefix):
            return call
        return partial(callWithContext, {"system": self.logPrefix()}, call)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Make the protocol, and connect it."""
        self._uv = self._writer = transport
        peer = transport.get_extra_info("peername")
        if peer is not None and self.server.connected:  # else, one of the two is gone already
            self._guard(self._make_connection, peer)
        if not self.connected:
            transport.abort()
            return
        if self._paused or self.disconnecting:
            # It wants nothing yet, but uvloop reads as soon as this returns, whatever was said:
            # what comes until then is held, data or end, until reading is resumed.
            self._holding = True
            self.loop.call_soon(transport.pause_reading)
        transport.set_protocol(self)

    def _make_connection(self, peer: tuple[Any, ...]) -> None:
        factory: Any = self.server.factory
        self._protocol = factory.buildProtocol(self._address(peer))
        if self._protocol is not None:
            self.connected = 1
            self.reactor.native[self] = None
            self._in_log(self._protocol.makeConnection)(self)

    def _hold(self, data: bytes) -> None:
        self._uv.pause_reading()
        self._held = data

    def _release(self) -> None:
        if self._paused or self.disconnecting or not (self._holding and self.connected):
            return
        held, self._held = self._held, None
        self._holding = False
        self._uv.set_protocol(self)
        if held:
            self._guard(self.data_received, held)
        elif held is not None:
            self.eof_received()
        if not self._paused:
            self.resumeProducing()

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
            if self._holding:
                self.loop.call_soon(self._release)
            else:
                self._uv.resume_reading()

    stopReading = pauseProducing
    startReading = resumeProducing

    # The end of the connection

    def eof_received(self) -> bool:
        """The peer has sent its last byte. What is returned keeps uvloop from closing."""
        if self._holding:
            self._held = b""
        else:
            self._read_closed = True
            self.readConnectionLost(DONE)
        return True

    def readConnectionLost(self, reason: Failure) -> None:
        """Tell a protocol that can half-close; for another, the connection is lost."""
        protocol = IHalfCloseableProtocol(self._protocol, None)
        if protocol is None:
            self.connectionLost(reason)
        else:
            self._guard(self._in_log(protocol.readConnectionLost))

    def writeConnectionLost(self, reason: Failure) -> None:
        """Nothing can be sent any more."""
        self.connectionLost(reason)

    def connection_lost(self, error: BaseException | None) -> None:
        """The connection is lost: find out why."""
        if not self.connected:
            return
        if error is None:
            reason = Failure(ConnectionAborted()) if self._aborting else DONE
        elif isinstance(error, OSError) and error.__traceback__ is None:
            reason = LOST
        else:
            reason = Failure(error)
            if isinstance(error, OSError):
                # The protocol has raised it, and uvloop takes it for the network's.
                log.failure("Unhandled Error", reason)
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is lost, whoever says so: uvloop, an error, the reactor when it stops."""
        if not self.connected:
            return
        if not self._read_closed:
            self._end_in_order()
        self.connected = 0
        self.reactor.native.pop(self, None)
        self._write_to(NullWriter)
        self._uv.abort()
        if self._handle is not None:
            self._handle.close()
        self._guard(self._in_log(self._tell_lost), reason)

    def _end_in_order(self) -> None:
        # To close a socket with unread data resets the connection, and what the peer has not read
        # yet may be lost. So it gets the end of our data first, and no data stays unread.
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
            while self.socket.recv(1 << 16):
                pass

    def _tell_lost(self, reason: Failure) -> None:
        producer, self.producer = self.producer, None
        protocol, self._protocol = self._protocol, None
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            protocol.connectionLost(reason)

    def abortConnection(self) -> None:
        """Reset the connection. What is not sent is lost."""
        if self.connected and not self._aborting:
            self._aborting = self._read_closed = True
            self.pauseProducing()
            self._write_to(NullWriter)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
            self.loop.call_soon(self._uv.abort)  # not now: what is raised after it is the reason

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
        return IPv4Address("TCP", *name) if len(name) == 2 else IPv6Address("TCP", *name)  # noqa: PLR2004

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
            family, kind = self.server.addressFamily, self.server.socketType
            self._handle = Handle(family, kind, socket.IPPROTO_TCP, self.fileno())
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
