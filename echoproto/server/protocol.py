"""`LineProtocol`, a LineReceiver that gets the hard parts right. `echo` has the echo on top of it.

It knows lines and its own callbacks. All else that a connection needs (telnet, TLS, backpressure,
how it ends) is in `connection`, which stands between the transport and the protocol.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from echoproto.errors import LineTooLongError, NotTelnetError
from echoproto.server.connection import ServerConnection
from echoproto.wire.framing import ANY_LINE_END, LineSplitter
from echoproto.wire.telnet.options import SERVER_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import ITransport

    from echoproto.wire.telnet.negotiation import Policy, Side
    from echoproto.wire.telnet.scanner import TelnetMode


class _Open:
    """Stands for a transport that cannot tell whether it is closing, as None cannot."""

    disconnecting = False


@implementer(IHalfCloseableProtocol)
class LineProtocol(LineReceiver):
    """A `LineReceiver` for any client: subclass it and write `lineReceived`.

    What it changes in `LineReceiver`, whose contract holds for the rest:

    - `delimiter`: LF, CR LF, CR NUL and CR all end a line (RFC 1123, section 3.3.1), and `sendLine`
      sends CR LF. A subclass, or an instance, that sets `delimiter` gets exactly that delimiter.
    - `lineLengthExceeded` is given what has come of the line that is too long, and no more. The
      rest of that line is skipped and the next line is whole, unless the method closes the
      connection (as it does if not overridden) or calls `setLineMode` or `setRawMode`.
    - The time that it takes is in proportion to the bytes received.

    On a connection of a reactor, whatever factory has built the protocol, `transport` is a
    `ServerConnection`, which adds:

    - Half-close: a client that has sent its last byte still gets every answer; then the
      connection is closed. Override `peerHalfClosed` to keep it open.
    - Backpressure: while the client does not read its answers, it is not read from. The place for
      a producer is yours all the same: while you have one registered, it replaces ours.
    - `pauseProducing` holds until `resumeProducing` is called, whatever the transport does.
    - Telnet: see `telnet`. In a telnet connection `lineReceived` and `rawDataReceived` are given
      what was typed, what is written to `transport` is escaped, and negotiation is answered.
    """

    delimiter: bytes = ANY_LINE_END

    telnet: TelnetMode = "auto"
    """Whether a connection is telnet: "always", "never", or "auto", once the client shows it
    (`wire.telnet` has the rule). A client cannot show it while the protocol is in raw mode."""
    telnet_policy: Policy = SERVER_POLICY
    """What is agreed to when a telnet client proposes it. Without ECHO and SGA, clients edit lines
    themselves."""
    answer_to_ayt = b"\r\n[yes, I am here]\r\n"
    """What a telnet client is told that asks AYT, are you there."""
    window_size: tuple[int, int] | None = None
    """Columns and rows of the telnet client's window, if it tells them; 0 is unknown."""
    terminal_type: str | None = None
    """The telnet client's terminal, if it tells that."""

    transport: Any
    paused: bool
    line_mode: Any
    __splitter: LineSplitter | None = None
    __busy = False  # in a call of the author's methods: what is fed meanwhile waits

    if TYPE_CHECKING:  # Twisted's have no types

        def pauseProducing(self) -> None: ...  # noqa: D102
        def stopProducing(self) -> None: ...  # noqa: D102
        def setRawMode(self) -> None: ...  # noqa: D102

    # The connection

    def makeConnection(self, transport: ITransport) -> None:
        """Take the transport into use, then call `connectionMade`.

        A transport that calls this protocol itself, because some other factory has built it, calls
        a `ServerConnection` from now on.
        """
        if isinstance(transport, ServerConnection) or not ServerConnection.take_over(
            transport, self
        ):
            super().makeConnection(transport)

    def readConnectionLost(self) -> None:
        """The peer has sent its last byte; called by the connection once all was delivered."""
        self.peerHalfClosed()

    def peerHalfClosed(self) -> None:
        """The peer has sent its last byte, and all of it was delivered: close, once all is sent.

        Override it to send more before you call `transport.loseConnection`.
        """
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""

    # Lines

    @property
    def lines_received(self) -> int | None:
        """How many lines have come, and how many were too long; None if nobody looks for lines."""
        return self.__splitter.taken if self.__splitter is not None else 0

    def dataReceived(self, data: bytes) -> Any:
        """Call `lineReceived` or `rawDataReceived` for `data`, as far as nobody has paused."""
        splitter = self.__splitter or self.__begin()
        if (
            self.__busy
            or self.paused
            or not self.line_mode
            or self.delimiter is not splitter.delimiter
            or splitter.max_length != self.MAX_LENGTH
        ):
            splitter.feed(data)
        elif (line := splitter.take(data)) is not None:
            self.__busy = True
            try:
                why = self.lineReceived(line)
            finally:
                self.__busy = False
            if why or not splitter.unsplit:  # something may have been put there meanwhile
                return why
        return None if self.__busy else self.__deliver(splitter)

    def __deliver(self, splitter: LineSplitter) -> Any:
        """Deliver what has come, until nothing is left or something says to stop."""
        transport = self.transport or _Open
        self.__busy = True
        try:
            while not self.paused:
                if not self.line_mode:
                    rest = splitter.take_rest()
                    why = self.rawDataReceived(rest) if rest else None
                    if why or not rest:
                        return why
                    continue
                splitter.configure(self.delimiter, self.MAX_LENGTH)
                try:
                    why = self.__deliver_lines(splitter.split())
                except LineTooLongError as error:
                    why = self.lineLengthExceeded(error.line)
                if why or transport.disconnecting or splitter.discard_taken():
                    return why
        finally:
            self.__busy = False
        return None

    def __deliver_lines(self, lines: Iterator[bytes]) -> Any:
        """Deliver lines, as long as nothing changes that the next one depends on."""
        transport, delimiter, max_length = self.transport or _Open, self.delimiter, self.MAX_LENGTH
        for line in lines:
            if (
                (why := self.lineReceived(line))
                or transport.disconnecting
                or self.paused
                or not self.line_mode
                or self.delimiter is not delimiter
                or max_length != self.MAX_LENGTH
            ):
                return why
        return None

    def __begin(self) -> LineSplitter:
        """Make the splitter, when the first data come.

        The loop over the lines looks at four attributes after each line, which takes a third of the
        time where they are the instance's own.
        """
        for name in ("delimiter", "MAX_LENGTH", "line_mode", "paused"):
            with suppress(AttributeError):  # it is a property
                setattr(self, name, getattr(self, name))
        self.__splitter = LineSplitter(self.delimiter, self.MAX_LENGTH)
        return self.__splitter

    def sendLine(self, line: bytes) -> None:
        """Send a line; `line` has no end yet."""
        self.transport.write(line + self.delimiter)

    def clearLineBuffer(self) -> bytes:
        """Take, and return, the data that is next."""
        return self.__splitter.take_rest() if self.__splitter is not None else b""

    def resumeProducing(self) -> None:
        """Go on with what was held; once the connection is closed, that is nothing."""
        if not (isinstance(self.transport, ServerConnection) and self.transport.disconnecting):
            super().resumeProducing()

    def setLineMode(self, extra: bytes = b"") -> Any:
        """Go to line mode; `extra` is put in front of what has arrived."""
        self.line_mode = 1
        if not extra:
            return None
        if self.__splitter is not None:
            self.__splitter.put_back(b"")  # a line that is too long is not skipped any more
        rest = self.clearLineBuffer()
        return self.dataReceived(extra + rest if rest else extra)

    def eraseReceived(self, *, line: bool) -> None:
        """Forget the last character of a line that has no end yet, or all of it."""
        if self.__splitter is not None:
            self.__splitter.erase(line=line)

    # Telnet

    @property
    def is_telnet(self) -> bool:
        """Whether this is a telnet connection, as far as the client has shown."""
        return getattr(self.transport, "is_telnet", False)

    def requestTelnetOption(self, side: Side, option: int, *, on: bool) -> None:
        """Ask a telnet client to agree on an option; `telnetOptionChanged` tells if it does.

        If it refuses, nothing is called. Raises ValueError if the connection is not telnet.
        """
        if not self.is_telnet:  # on the transport of a test, too
            raise NotTelnetError("the client has not shown that it is telnet: see is_telnet")
        self.transport.requestTelnetOption(side, option, on=on)

    def telnetStarted(self) -> None:
        """The client has shown that it is telnet."""

    def telnetOptionChanged(self, side: Side, option: int, *, on: bool) -> None:
        """An option is on, or off, for us or for the client, from now on."""

    def telnetCommandReceived(self, command: int) -> None:
        """The telnet client has sent a command other than negotiation.

        EC has taken back the last character by then, EL, IP, BRK and ABORT what has come of a line
        that has no end yet. EOF is the end of what the client sends, as half-close is.
        """

    def windowSizeChanged(self, columns: int, rows: int) -> None:
        """The telnet client tells the size of its window; 0 is unknown (RFC 1073)."""

    def terminalTypeReceived(self, name: str) -> None:
        """The telnet client tells what its terminal is (RFC 1091)."""

    def undecidedDataReceived(self, data: bytes) -> None:
        """A 255 has come, and what comes next will show what it is; it is given again then."""
