"""`LineProtocol`: a LineReceiver that handles the hard parts. `echo` builds the echo on it.

It splits lines and calls its own methods. Everything else that a connection needs (telnet, TLS,
backpressure, an orderly end) is in `connection`, which stands between the transport and the
protocol.
"""

from __future__ import annotations

from contextlib import suppress
from operator import length_hint
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from echoproto.errors import LineTooLongError, NotTelnetError
from echoproto.server.backpressure import NO_BUDGET, new_budget
from echoproto.server.connection import ServerConnection
from echoproto.wire.framing import ANY_LINE_END, LineSplitter
from echoproto.wire.telnet.options import SERVER_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import ITransport

    from echoproto.wire.telnet.negotiation import Policy, Side
    from echoproto.wire.telnet.scanner import TelnetMode


class _Open:
    """Stands in for a transport that is None, and for a connection where the reactor has none."""

    disconnecting = False
    budget = NO_BUDGET
    end_turn = staticmethod(new_budget)


@implementer(IHalfCloseableProtocol)
class LineProtocol(LineReceiver):
    """A `LineReceiver` for any client. Subclass it, and write `lineReceived(line)`.

    `LineReceiver`'s contract holds, with these differences:

    - `delimiter`: LF, CR LF, CR NUL and CR all end a line (RFC 1123, section 3.3.1), and `sendLine`
      sends CR LF. If a subclass or an instance sets `delimiter`, that exact delimiter is used. Set
      CR LF for SMTP, and wherever a relay sees lines differently: text with a bare LF or CR could
      otherwise smuggle in a message or a command.
    - `lineLengthExceeded(line)` receives what has arrived of the line, and nothing behind it. The
      rest of that line is skipped, and the next line is complete. Unless you override it, the
      method closes the connection. It may call `setLineMode` or `setRawMode` to keep the rest.
    - Splitting takes time proportional to the number of bytes received.

    On the connections of a reactor, `transport` is a `ServerConnection`, whichever factory has
    built the protocol. It adds:

    - Half-close: a client that has sent its last byte still receives every answer, and then the
      connection closes. Override `peerHalfClosed` to keep the connection open.
    - Backpressure: the server stops reading from a client that does not read its answers. You may
      still register a producer; it replaces ours until you unregister it.
    - `pauseProducing` holds until you call `resumeProducing`, whatever the transport does.
    - Telnet: see `telnet`. In a telnet connection, `lineReceived` and `rawDataReceived` receive
      what was typed, what you write is escaped, and negotiation is answered.
    """

    delimiter: bytes = ANY_LINE_END

    telnet: TelnetMode = "auto"
    """When a connection is telnet: "always", "never", or "auto", as soon as the client negotiates
    it (docs/telnet.md has the rule); "auto" then becomes "always", and "never" if the client shows
    that it is not telnet. In raw mode a client cannot begin telnet."""
    telnet_policy: Policy = SERVER_POLICY
    """The options to agree to when a telnet client offers or requests them. Without ECHO and SGA
    (RFC 857, RFC 858), clients send whole lines, which a person can edit."""
    answer_to_ayt = b"\r\n[yes, I am here]\r\n"
    """Bytes that answer a telnet client's AYT, "are you there" (RFC 854)."""
    window_size: tuple[int, int] | None = None
    """Columns and rows of the telnet client's window, where 0 is unknown (RFC 1073); None until the
    client reports them."""
    terminal_type: str | None = None
    """Name of the telnet client's terminal (RFC 1091); None until the client reports it."""

    transport: Any
    paused: bool
    line_mode: Any
    __splitter: LineSplitter | None = None
    __busy = False  # in a call of the subclass's methods: further data must wait
    __is_extra = False  # `setLineMode` is passing its `extra` to `dataReceived`

    if TYPE_CHECKING:  # Twisted's methods have no types

        def pauseProducing(self) -> None: ...  # noqa: D102
        def stopProducing(self) -> None: ...  # noqa: D102
        def setRawMode(self) -> None: ...  # noqa: D102

    # The connection

    def makeConnection(self, transport: ITransport) -> None:
        """Use `transport`, and call `connectionMade`.

        If `transport` calls this protocol directly, because another factory has built the protocol,
        insert a `ServerConnection` between the two.
        """
        if isinstance(transport, ServerConnection) or not ServerConnection.take_over(
            transport, self
        ):
            super().makeConnection(transport)

    def readConnectionLost(self) -> None:
        """Handle the half-close of the peer; the connection calls this after all data."""
        self.peerHalfClosed()

    def peerHalfClosed(self) -> None:
        """Handle the half-close of the peer, after all complete lines were delivered.

        `clearLineBuffer` returns an unfinished line. The inherited method closes the connection as
        soon as everything has been sent. If you override it, call `transport.loseConnection` when
        you have sent everything.
        """
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Handle the completion of our half-close; does nothing."""

    # Lines

    @property
    def lines_received(self) -> int | None:
        """Number of lines received, including those that were too long.

        None in a subclass that does not split lines.
        """
        return self.__splitter.taken if self.__splitter is not None else 0

    def dataReceived(self, data: bytes) -> Any:
        """Call `lineReceived` or `rawDataReceived` for `data`, until the protocol pauses."""
        splitter = self.__splitter or self.__begin()
        if (
            self.__busy
            or self.paused
            or not self.line_mode
            or self.delimiter is not splitter.delimiter
            or splitter.max_length != self.MAX_LENGTH
        ):
            if self.__is_extra:
                splitter.put_back(data)
            else:
                splitter.feed(data)
        elif (line := splitter.take(data)) is not None:
            self.__busy = True
            try:
                why = self.lineReceived(line)
            finally:
                self.__busy = False
            if why or not splitter.unsplit:  # `lineReceived` may have fed more data
                return why
        return None if self.__busy else self.__deliver(splitter)

    def __deliver(self, splitter: LineSplitter) -> Any:
        """Deliver what has arrived, until nothing is left or something stops the delivery."""
        transport = self.transport or _Open
        connection = transport if isinstance(transport, ServerConnection) else _Open
        budget = connection.budget  # each line, and each piece of raw data, takes one item
        why, is_done, is_single = None, False, True
        self.__busy = True
        try:
            while not (why or is_done or self.paused or connection.disconnecting):
                if not length_hint(budget):
                    budget = connection.end_turn()
                elif not self.line_mode:
                    raw = splitter.take_raw()
                    why = self.rawDataReceived(raw) if raw else None
                    is_done = not raw
                    next(budget, None)
                elif is_single and (line := self.__take_line(splitter)) is not None:
                    why = self.lineReceived(line)
                    is_done = transport.disconnecting
                    # Without a change, a block of lines is next.
                    is_single = not self.line_mode or self.delimiter is not splitter.delimiter
                    next(budget, None)
                else:
                    why, is_done = self.__deliver_lines(splitter, transport, budget)
                    is_single = True
        finally:
            self.__busy = False
        return why

    def __take_line(self, splitter: LineSplitter) -> bytes | None:
        delimiter, max_length = self.delimiter, self.MAX_LENGTH
        if delimiter is not splitter.delimiter or max_length != splitter.max_length:
            splitter.configure(delimiter, max_length)
        return splitter.take_line()

    def __deliver_lines(
        self, splitter: LineSplitter, transport: Any, budget: Iterator[None]
    ) -> tuple[Any, bool]:
        """Deliver lines, until a setting changes that the next line depends on.

        Return what `lineReceived` returned last, and whether to stop: nothing is left, or the
        connection is closing.
        """
        delimiter, max_length = self.delimiter, self.MAX_LENGTH
        if delimiter is not splitter.delimiter or max_length != splitter.max_length:
            splitter.configure(delimiter, max_length)
        splitter.nul_after_cr = self.telnet != "always"
        why = None
        try:
            for _, line in zip(budget, splitter.split(), strict=False):
                why = self.lineReceived(line)
                if (
                    why
                    or transport.disconnecting
                    or self.paused
                    or not self.line_mode
                    or self.delimiter is not delimiter
                    or max_length != self.MAX_LENGTH
                ):
                    return why, transport.disconnecting
        except LineTooLongError as error:
            next(budget, None)
            return self.lineLengthExceeded(error.line), transport.disconnecting
        return why, splitter.discard_taken()

    def __begin(self) -> LineSplitter:
        """Make the splitter, when the first data arrives.

        Also copy four attributes to the instance: the loop over the lines reads them after each
        line, and an instance attribute takes a third of the time of a class attribute.
        """
        for name in ("delimiter", "MAX_LENGTH", "line_mode", "paused"):
            with suppress(AttributeError):  # a property without a setter
                setattr(self, name, getattr(self, name))
        self.__splitter = LineSplitter(self.delimiter, self.MAX_LENGTH)
        return self.__splitter

    def sendLine(self, line: bytes) -> None:
        """Send `line` and the delimiter (CR LF unless you set another)."""
        self.transport.write(line + self.delimiter)

    def clearLineBuffer(self) -> bytes:
        """Take and return the bytes that have arrived and were not delivered."""
        return self.__splitter.take_rest() if self.__splitter is not None else b""

    def _forget_cr(self) -> bool:
        """Return whether an LF or NUL may be still to come, for the connection to drop."""
        return self.__splitter is not None and self.__splitter.forget_cr()

    def resumeProducing(self) -> None:
        """Deliver pending data, unless the connection is closed."""
        if not isinstance(self.transport, ServerConnection):
            super().resumeProducing()
        elif not self.transport.disconnecting:
            self.transport.resumeProducing()  # which delivers, too

    def setLineMode(self, extra: bytes = b"") -> Any:
        """Switch to line mode. `extra` is processed before the pending bytes."""
        self.line_mode = 1
        if not extra:
            return None
        splitter = self.__splitter or self.__begin()
        was_busy, self.__busy, self.__is_extra = self.__busy, True, True
        try:
            why = self.dataReceived(extra)
        finally:
            self.__busy, self.__is_extra = was_busy, False
        return why if why or was_busy else self.__deliver(splitter)

    def eraseReceived(self, *, line: bool) -> None:
        """Erase the last character of the unfinished line, or with `line` all of it.

        Called when a telnet client sends EC, or EL, IP, BRK or ABORT (RFC 854).
        """
        if self.__splitter is not None:
            self.__splitter.erase(line=line)

    # Telnet

    @property
    def is_telnet(self) -> bool:
        """Whether this is a telnet connection, according to what the client has sent so far."""
        return getattr(self.transport, "is_telnet", False)

    def requestTelnetOption(self, side: Side, option: int, *, on: bool) -> None:
        """Ask a telnet client to enable or disable `option` (0 to 255) for `side`.

        If the client agrees, `telnetOptionChanged` is called; if it refuses, nothing is. Raises
        NotTelnetError if the connection is not telnet, or not yet.
        """
        if not self.is_telnet:  # nor is a transport of tests
            raise NotTelnetError("the client has not shown that it is telnet: see is_telnet")
        self.transport.requestTelnetOption(side, option, on=on)

    def telnetStarted(self) -> None:
        """Handle the start of telnet: the client has negotiated it.

        With `telnet = "always"`, this is called after `connectionMade`.
        """

    def telnetOptionChanged(self, side: Side, option: int, *, on: bool) -> None:
        """Handle an option that is enabled (`on`) or disabled for `side` from now on."""

    def telnetCommandReceived(self, command: int) -> None:
        """Handle a telnet command other than negotiation; `command` is a `Command`, or any number.

        By then, EC has erased the last character of the unfinished line, and EL, IP, BRK or ABORT
        all of it. EOF ends the client's side, as half-close does (RFC 1184).
        """

    def windowSizeChanged(self, columns: int, rows: int) -> None:
        """Handle the size of the telnet client's window; 0 is unknown (RFC 1073)."""

    def terminalTypeReceived(self, name: str) -> None:
        """Handle the name of the telnet client's terminal (RFC 1091)."""

    def undecidedDataReceived(self, data: bytes) -> None:
        """Handle data that ends with a byte 255: the next byte decides what it means.

        It is processed again, with what follows it. The inherited method does nothing.
        """
