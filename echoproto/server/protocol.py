"""`LineProtocol`, a LineReceiver that gets the hard parts right. `echo` has the echo on top of it.

A protocol is one connection. What it does not know is in `factory`: which other connections there
are, and what is logged when one opens or closes.
"""

from __future__ import annotations

from inspect import getattr_static
from operator import length_hint
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    ISystemHandle,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from echoproto.server.backpressure import (
    BY_CALLER,
    BY_TRANSPORT,
    Backpressure,
    bottom_of,
    can_half_close,
)
from echoproto.server.telnet import TelnetMixin, receive_urgent_in_line
from echoproto.wire.framing import ANY_LINE_END, LineSplitter, LineTooLongError

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITransport
    from twisted.python.failure import Failure

LINGER = 5.0
"""Seconds that a client has to end the connection, after its EOF and ours."""


class ConnectionObserver(Protocol):
    """What is told of connections: `LineFactory`, or None."""

    urgent_in_line: bool
    """Whether all connections have SO_OOBINLINE already, from the port that has accepted them."""

    def connected(self, protocol: LineProtocol) -> None:
        """The connection is open; `connectionMade` was not called yet."""

    def telnetBegan(self, protocol: LineProtocol) -> None:
        """The client has shown that it is telnet."""

    def disconnected(self, protocol: LineProtocol, reason: Failure) -> None:
        """The connection is lost, because of `reason`."""


class _NotConnected:
    """A LineReceiver works without a transport, too."""

    disconnecting = False


class _Setting:
    """An attribute that says how the next line is delivered; `own` is where its value is.

    To set it on a protocol ends the loop over the lines that are split already: so that need not
    look at each of these attributes after each line.
    """

    def __init__(self, own: str) -> None:
        self._own = own

    def __get__(self, protocol: LineProtocol | None, owner: type) -> Any:
        return getattr(owner if protocol is None else protocol, self._own)

    def __set__(self, protocol: LineProtocol, value: object) -> None:
        setattr(protocol, self._own, value)
        protocol._settings_changed()  # noqa: SLF001 - a part of it


def _with_settings(cls: type[LineProtocol]) -> type[LineProtocol]:
    for name in ("delimiter", "MAX_LENGTH", "line_mode", "paused"):
        value = getattr_static(cls, name)
        if not isinstance(value, _Setting):
            own = f"_own_{name}"
            setattr(cls, own, value)
            if not hasattr(value, "__get__"):  # a property stays as it is
                setattr(cls, name, _Setting(own))
    return cls


@_with_settings
@implementer(IHalfCloseableProtocol, IHandshakeListener)
class LineProtocol(TelnetMixin, LineReceiver):
    """A `LineReceiver` for any client: subclass it and write `lineReceived`.

    What it changes in `LineReceiver`, whose contract holds for the rest:

    - `delimiter`: LF, CR LF, CR NUL and CR all end a line (RFC 1123, 3.3.1), and `sendLine` sends
      CR LF. A subclass, or an instance, that sets `delimiter` gets exactly that delimiter.
    - `lineLengthExceeded` is given what has come of the line that is too long, and no more. The
      rest of that line is skipped and the next line is whole, unless the method closes the
      connection (as it does if not overridden) or calls `setLineMode` or `setRawMode`.
    - Half-close: a client that has sent its last byte still gets every answer; then the
      connection is closed. Override `peerHalfClosed` to keep it open.
    - Backpressure: while the client does not read its answers, it is not read from. This takes the
      transport's one place for a producer; to send with a producer of your own, call
      `unregisterBackpressure` first.
    - `pauseProducing` holds until `resumeProducing` is called, whatever the transport does.
    - Telnet: see `telnet`. In a telnet connection `lineReceived` and `rawDataReceived` are given
      what was typed, what is written to `transport` is escaped, and negotiation is answered.
    - The time that it takes is in proportion to the bytes received.
    - `delimiter`, `MAX_LENGTH`, `line_mode` and `paused` are set in a class's body, or on an
      instance, at any time; on a class later on, that is not noticed.

    Call the inherited `connectionLost` if you override it: it ends the count of connections.
    """

    delimiter: bytes = ANY_LINE_END
    observer: ConnectionObserver | None = None

    connection_id: int | None = None
    """The number that logs name the connection by; `LineFactory` gives it."""
    _backpressure: Backpressure | None = None
    _told_half_closed = False
    half_closed = False
    """The peer has sent its last byte: it has half-closed, or sent telnet's EOF."""
    _read_lost = False
    _lingering = False
    _end_of_lingering: IDelayedCall | None = None

    transport: Any
    _own_line_mode: Any
    _own_paused: Any
    _paused_by = 0
    _splitter: LineSplitter | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _with_settings(cls)

    @property
    def lines_received(self) -> int:
        """How many lines have come, and those that were too long."""
        return self._splitter.taken if self._splitter is not None else 0

    def _settings_changed(self) -> None:
        if self._splitter is not None:
            self._splitter.interrupt()
            self._splitter.configure(self.delimiter, self.MAX_LENGTH)

    def _make_splitter(self) -> LineSplitter:
        if self._splitter is None:
            self._splitter = LineSplitter(self.delimiter, self.MAX_LENGTH)
            if isinstance(getattr(type(self.transport), "disconnecting", None), int):
                # It is read after each line, which takes 15 ns less on the instance.
                self.transport.disconnecting = self.transport.disconnecting
        return self._splitter

    # The connection

    def makeConnection(self, transport: ITransport) -> None:
        """Take the transport into use, then call `connectionMade`."""
        self.transport = transport
        self._register_backpressure()
        if self.observer is not None:
            self.observer.connected(self)
        if self.telnet != "never" and not (self.observer and self.observer.urgent_in_line):
            bottom = bottom_of(transport)
            if ISystemHandle.providedBy(bottom):
                receive_urgent_in_line(bottom.getHandle())
        if self.telnet == "always":
            self.telnetBegins()
        super().makeConnection(self.transport)

    def unregisterBackpressure(self) -> None:
        """Give up backpressure, and with it the transport's place for a producer."""
        if self._backpressure is not None:
            self._backpressure.unregister()
            self._backpressure = None
            self.resume_by(BY_TRANSPORT)

    def handshakeCompleted(self) -> None:
        """TLS is on, perhaps since `startTLS`: that takes the producer along, up into TLS."""
        if self._backpressure is not None:
            self._backpressure.unregister()
            self._register_backpressure()

    def _register_backpressure(self) -> None:
        self._backpressure = Backpressure(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the observer. `reason` is why."""
        super().connectionLost(reason)
        if self._end_of_lingering is not None and self._end_of_lingering.active():
            self._end_of_lingering.cancel()
        if self.observer is not None:
            self.observer.disconnected(self, reason)

    def readConnectionLost(self) -> None:
        """The peer has half-closed, or has ended the connection after telnet's EOF."""
        self._read_lost = True
        if self._lingering:
            self.transport.loseConnection()
        elif not self.half_closed:
            if self._codec is not None:
                self._take_events(self._codec)
            self.eofReceived()

    def eofReceived(self) -> None:
        """The peer has sent its last byte: deliver what is left, then call `peerHalfClosed`."""
        self.half_closed = True
        self._deliver()

    def peerHalfClosed(self) -> None:
        """The peer has sent its last byte, and all of it was delivered: close, once all is sent.

        After telnet's EOF the client may still send (plink does: answers to our negotiation), and
        to close at once would reset the connection, and lose what it has not read: so half-close,
        and close when it does, or after LINGER seconds.

        Override it to send more before you call `transport.loseConnection`.
        """
        if self._read_lost or not can_half_close(self.transport):
            self.transport.loseConnection()
        else:
            self._lingering = True
            self.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""
        if self._lingering:
            clock: IReactorTime = self.transport.reactor
            self._end_of_lingering = clock.callLater(LINGER, self.transport.loseConnection)

    # What arrives

    def plainDataReceived(self, data: bytes) -> Any:
        """Call `lineReceived` or `rawDataReceived` for `data`, as far as not paused."""
        splitter = self._splitter or self._make_splitter()
        splitter.feed(data)
        return self._deliver()

    def eraseReceived(self, *, line: bool) -> None:
        """Forget the last character of a line that has no end yet, or all of it."""
        self._make_splitter().erase(line=line)

    def telnetBegins(self) -> None:
        """The client has shown that it is telnet. Call the inherited one if you override it."""
        super().telnetBegins()
        if self.observer is not None:
            self.observer.telnetBegan(self)

    def _deliver(self) -> Any:
        if self._busyReceiving:
            return None
        self._busyReceiving = True
        try:
            why = self._dispatch(self._splitter) if self._splitter is not None else None
        finally:
            self._busyReceiving = False
        if self.half_closed and not (self.paused or self._events_wait or self._told_half_closed):
            self._told_half_closed = True
            self.peerHalfClosed()
        return why

    def _dispatch(self, splitter: LineSplitter) -> Any:
        transport = self.transport or _NotConnected
        why: Any = None
        while not (why or self._own_paused):
            if not self._own_line_mode:
                rest = splitter.take_rest()
                if not rest:
                    return None
                why = self.rawDataReceived(rest)
                continue
            if transport.disconnecting:
                splitter.take_rest()  # it will never be delivered
                return None
            try:
                lines = splitter.lines()
            except LineTooLongError as error:
                why = self.lineLengthExceeded(error.line)
                continue
            if not length_hint(lines):
                return None
            for line in lines:  # to its end, or where a _Setting ends it
                if (why := self.lineReceived(line)) or transport.disconnecting:
                    break
            else:
                if splitter.let_go():
                    return None
        return why

    def clearLineBuffer(self) -> bytes:
        """Take, and return, the data that is next, as far as it is freed of telnet."""
        return self._make_splitter().take_rest()

    def setLineMode(self, extra: bytes = b"") -> Any:
        """Go to line mode; `extra` is put in front of what has arrived."""
        self.line_mode = 1
        self._make_splitter().put_back(extra)
        return self._deliver()

    # Pausing: by whoever calls pauseProducing, and by the transport

    def pauseProducing(self) -> None:
        """Deliver nothing, and read nothing, until `resumeProducing` is called."""
        self.pause_by(BY_CALLER)

    def resumeProducing(self) -> None:
        """Deliver what has arrived, and read on."""
        self.resume_by(BY_CALLER)

    def stopProducing(self) -> None:
        """Deliver nothing more, and close the connection."""
        self.paused = True
        self._paused_by |= BY_CALLER
        self.transport.stopProducing()

    def pause_by(self, who: int) -> None:
        """Pause, until `who` resumes as well."""
        self.paused = True
        self._paused_by |= who
        self.transport.pauseProducing()

    def resume_by(self, who: int) -> None:
        """Resume, unless someone else has paused too."""
        self._paused_by &= ~who
        if self._paused_by:
            return
        self.paused = False
        if not self._read_lost:
            self.transport.resumeProducing()
        self._deliver()
        busy = self.paused or self._busyReceiving or self._taking_events
        if self._events_wait and self._codec is not None and not busy:
            self._take_events(self._codec)
            self._deliver()
