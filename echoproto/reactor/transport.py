"""`TCPTransport`: Twisted's transport for an accepted TCP connection, on top of uvloop's.

uvloop reads, and calls the protocol's `dataReceived` directly. `write` passes data to uvloop. An
echo therefore costs two Python frames. The rest of this module handles rarer cases, as Twisted's
`tcp.Connection` does.

One object has two roles. For uvloop it is an asyncio protocol, with methods named like
`connection_made`. For the Twisted protocol it is the transport, with methods named like
`loseConnection`.

`starttls`, `sending` and `lingering` are below this module. `port` makes one transport for each
connection.
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

from echoproto.reactor.lingering import shut_down
from echoproto.reactor.sending import NullWriter
from echoproto.reactor.starttls import StartTLS

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable

    from echoproto.reactor.loop import Loop
    from echoproto.reactor.port import Port
    from echoproto.reactor.reactor import UvloopReactor

log = Logger()

# All connections share these two, as in Twisted's reactors.
DONE: Final = Failure(ConnectionDone())

_NO_LINGERING: Final = struct.pack("ii", 1, 0)  # struct linger: on, for 0 seconds


class Handle(socket.socket):
    """The socket of a connection. libuv owns the descriptor, and closes it."""

    def close(self) -> None:
        """Detach from the descriptor without closing it."""
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
    """A connection that the `Port` `server` has accepted. `sessionno` is its number on that port.

    The transport looks up the protocol's `dataReceived` when the connection is made, and when
    `protocol` is set. If the protocol replaces its own `dataReceived` later, the transport still
    calls the first one.
    """

    __slots__ = ("_protocol", "server", "sessionno")

    _aborting = False
    _read_closed = False
    _handle: Handle | None = None
    _paused = False
    _deferring = False  # data or an end that arrives is kept in `_deferred` for now
    _deferred: bytes | None = None  # b"" is the end of the peer's data

    def __init__(self, server: Port, sessionno: int) -> None:
        super().__init__()
        self.server = server
        self.sessionno = sessionno
        self._protocol: Any = None

    @property
    def reactor(self) -> UvloopReactor:
        """The reactor of the port."""
        return self.server.reactor

    @property
    def loop(self) -> Loop:  # type: ignore[override] # there it is an attribute
        """The event loop of the reactor."""
        return self.server.reactor.loop

    @property
    def disconnected(self) -> int:
        """Whether the connection is lost: 1 or 0."""
        return int(not self.connected)

    @property
    def unsent(self) -> int:
        """Number of bytes that were written, and that the system has not taken yet."""
        return self._uv.get_write_buffer_size() if self.connected else 0

    # Receiving

    @property
    def protocol(self) -> Any:
        """The protocol that receives the data. It can be replaced."""
        return self._protocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        if self.connected:
            self._uv.set_protocol(self)

    @property
    def data_received(self) -> Callable[[bytes], object]:
        """The function that uvloop calls with data. uvloop looks it up in `set_protocol`."""
        if self._deferring or self._protocol is None:
            return self._defer
        return self._with_log_context(self._protocol.dataReceived)

    def _with_log_context(self, call: Callable[..., object]) -> Callable[..., object]:
        """Wrap `call` to make Twisted's old log name the protocol in each line.

        Return `call` itself if the protocol does not define `logPrefix`: the log context costs more
        than everything else in a short connection.
        """
        protocol = self._protocol
        while (wrapped := getattr(protocol, "wrappedProtocol", None)) is not None:
            protocol = wrapped
        if getattr(type(protocol), "logPrefix", None) in (None, Protocol.logPrefix):
            return call
        return partial(callWithContext, {"system": self.logPrefix()}, call)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Build the protocol, and connect it."""
        self._uv = self._writer = transport
        if self.server.admits(transport):
            self._guard(self._make_connection, transport.get_extra_info("peername"))
        if not self.connected:
            transport.abort()
            return
        if self._paused or self.disconnecting:
            # The protocol does not want to read yet, but uvloop reads as soon as this method
            # returns, even if reading was paused in it. Keep the data, or the end, that arrives
            # before reading is paused, and deliver it when the protocol resumes.
            self._deferring = True
            self.loop.call_soon(transport.pause_reading)
        transport.set_protocol(self)

    def _make_connection(self, peer: tuple[Any, ...]) -> None:
        factory: Any = self.server.factory
        self._protocol = factory.buildProtocol(self._address(peer))
        if self._protocol is not None:
            self.connected = 1
            self.reactor.native[self] = None
            self._with_log_context(self._protocol.makeConnection)(self)

    def _defer(self, data: bytes) -> None:
        self._uv.pause_reading()
        self._deferred = data

    def _deliver_deferred(self) -> None:
        if self._paused or self.disconnecting or not (self._deferring and self.connected):
            return
        deferred, self._deferred = self._deferred, None
        self._deferring = False
        self._uv.set_protocol(self)
        if deferred:
            self._guard(self.data_received, deferred)
        elif deferred is not None:
            self.eof_received()
        if not self._paused:
            self.resumeProducing()

    # IPushProducer

    @property
    def reading(self) -> bool:
        """Whether the connection reads."""
        return bool(self.connected) and self._uv.is_reading()

    def pauseProducing(self) -> None:
        """Stop reading."""
        self._paused = True
        self._uv.pause_reading()

    def resumeProducing(self) -> None:
        """Continue reading, unless the connection is closing or the peer has ended its side."""
        if self.connected and not (self.disconnecting or self._read_closed):
            self._paused = False
            if self._deferring:
                self.loop.call_soon(self._deliver_deferred)
            else:
                self._uv.resume_reading()

    stopReading = pauseProducing
    startReading = resumeProducing

    # The end of the connection

    def eof_received(self) -> bool:
        """Handle the end of the peer's data. Return true, which keeps uvloop from closing."""
        if self._deferring:
            self._deferred = b""
        else:
            self._read_closed = True
            self.readConnectionLost(DONE)
        return True

    def readConnectionLost(self, reason: Failure) -> None:
        """Notify a protocol that can half-close. For any other, end the connection."""
        protocol = IHalfCloseableProtocol(self._protocol, None)
        if protocol is None:
            self.connectionLost(reason)
        else:
            self._guard(self._with_log_context(protocol.readConnectionLost))

    def writeConnectionLost(self, reason: Failure) -> None:
        """End the connection: nothing more can be sent."""
        self.connectionLost(reason)

    def connection_lost(self, error: BaseException | None) -> None:
        """Handle the loss of the connection: turn uvloop's error into Twisted's reason."""
        if not self.connected:
            return
        if error is None:
            reason = Failure(ConnectionAborted()) if self._aborting else DONE
        elif isinstance(error, OSError) and error.__traceback__ is None:
            lost = ConnectionLost()
            lost.__cause__ = error
            reason = Failure(lost)
        else:
            reason = Failure(error)
            if isinstance(error, OSError):
                # The protocol raised this error, and uvloop mistook it for a network error.
                log.failure("Unhandled Error", reason)
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """End the connection for `reason`, and notify the producer and the protocol.

        The caller can be uvloop, an error in the protocol, or the reactor when it stops.
        """
        if not self.connected:
            return
        if not self._read_closed:
            with suppress(OSError):
                shut_down(self.socket, self.loop)
        self.connected = 0
        self.reactor.native.pop(self, None)
        self._set_writer(NullWriter)
        self._uv.abort()
        if self._handle is not None:
            self._handle.close()
        self._guard(self._with_log_context(self._notify_lost), reason)

    def _notify_lost(self, reason: Failure) -> None:
        producer, self.producer = self.producer, None
        protocol, self._protocol = self._protocol, None
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            protocol.connectionLost(reason)

    def abortConnection(self) -> None:
        """Reset the connection (RST). Data that has not been sent is lost."""
        if self.connected and not self._aborting:
            self._aborting = self._read_closed = True
            self.pauseProducing()
            self._set_writer(NullWriter)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
            # Abort later: if the caller raises after this, its exception becomes the reason.
            self.loop.call_soon(self._uv.abort)

    # Addresses, and the socket and its options: ITCPTransport, ISystemHandle

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Return the address of the client."""
        return self._address(self._uv.get_extra_info("peername"))

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address of the server."""
        return self._address(self._uv.get_extra_info("sockname"))

    def _address(self, name: tuple[Any, ...]) -> IPv4Address | IPv6Address:
        if len(name) == 4 and name[3]:  # noqa: PLR2004 - an IPv6 scope, which belongs in the host
            host, _ = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
            name = (host, *name[1:])
        return IPv4Address("TCP", *name) if len(name) == 2 else IPv6Address("TCP", *name)  # noqa: PLR2004

    @property
    def _socket(self) -> socket.socket:
        pseudo_socket: socket.socket = self._uv.get_extra_info("socket")
        return pseudo_socket

    def fileno(self) -> int:
        """Return the file descriptor, or -1 after the connection was lost."""
        return self._socket.fileno() if self.connected else -1

    def getHandle(self) -> socket.socket:
        """Return the socket, for its options and addresses. Do not read or write with it.

        Closing it only detaches it from the descriptor.
        """
        if self._handle is None:
            family, kind = self.server.addressFamily, self.server.socketType
            self._handle = Handle(family, kind, socket.IPPROTO_TCP, self.fileno())
            self._handle.setblocking(False)
        return self._handle

    def getTcpNoDelay(self) -> bool:
        """Return whether TCP_NODELAY is on. uvloop turns it on for each connection."""
        return bool(self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Turn TCP_NODELAY on or off."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(enabled))

    def getTcpKeepAlive(self) -> bool:
        """Return whether SO_KEEPALIVE is on: the system then probes a silent peer at intervals."""
        return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Turn SO_KEEPALIVE on or off."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(enabled))

    # For the log

    def logPrefix(self) -> str:
        """Return the name of this connection in Twisted's log."""
        name = self._protocol.__class__.__name__
        if ILoggingContext.providedBy(self._protocol):
            name = self._protocol.logPrefix()
        return f"{name},{self.sessionno},{self.getPeer().host}"

    logstr = property(logPrefix)

    def __repr__(self) -> str:
        return f"<{self._protocol.__class__.__name__} #{self.sessionno} on {self.getHost().port}>"

    socket = property(getHandle)
