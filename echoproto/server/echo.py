"""`EchoProtocol`: sends everything back (RFC 862)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.protocol import connectionDone

from echoproto.errors import LineTooLongError
from echoproto.server.line_log import LineLog
from echoproto.server.protocol import LineProtocol
from echoproto.wire.framing import LineSplitter, line_ends_to_crlf
from echoproto.wire.telnet.commands import Command

if TYPE_CHECKING:
    from typing import Literal

    from twisted.python.failure import Failure

    from echoproto.wire.telnet.scanner import TelnetMode

    Mode = Literal["stream", "line"]

_LINES_IN_ONE: Final = 128
"""Number of lines to echo at the cost of one that is delivered: they are joined in C."""

_LF, _CR = b"\n\r"


class EchoProtocol(LineProtocol):
    """Sends back every byte, in order: the protocol of `twistd echo`.

    In mode "stream", a byte comes back as soon as it arrives. In mode "line", it comes back when
    its line has ended, when the line is longer than MAX_LENGTH bytes, or when the client ends its
    side. With `log_lines`, each line is logged as well. `telnet` is that of `LineProtocol`. In a
    telnet connection the protocol sends back what was typed, with CR LF for each line end; in
    BINARY (RFC 856) it leaves line ends unchanged.
    """

    answer_to_ayt = b"\r\n[yes, the echo server is here]\r\n"

    # Class attributes save memory, because most connections never change them.
    _as_it_is = True  # data is sent back unchanged
    _line_log: LineLog | None = None
    _whole_lines: LineSplitter | None = None
    _echoed_cr = False  # the last echo ended with a CR, which was sent as CR LF
    _pieces = 0  # of lines that were too long, which are no lines
    _ahead = False  # a 255 was echoed before the next byte could show what it means

    def __init__(
        self, mode: Mode = "stream", *, log_lines: bool = False, telnet: TelnetMode = "auto"
    ) -> None:
        if telnet != self.telnet:
            self.telnet = telnet
        if mode == "line":
            self._whole_lines = LineSplitter(max_length=self.MAX_LENGTH, keep_ends=True)
            self._as_it_is = False
        if log_lines:
            self._line_log, self._as_it_is = LineLog(self), False

    @property
    def lines_received(self) -> int | None:
        """Number of lines received; None if this connection does not split lines."""
        if self._line_log is not None:
            return super().lines_received
        return self._whole_lines.taken - self._pieces if self._whole_lines is not None else None

    def dataReceived(self, data: bytes) -> Any:
        """Echo `data`, or in mode "line" the lines that it completes."""
        if self._as_it_is:
            self.transport.write(data)
            return None
        if self._whole_lines is not None:
            self._echo_whole_lines(self._whole_lines, data)
        elif data:  # there is none when a paused connection resumes
            echoed = data
            if self._ahead:
                echoed = data[1:]
                self._ahead = False
                self._as_it_is = self._line_log is None
            if self._echoed_cr or _LF in echoed or _CR in echoed:
                echoed = self._with_line_ends(echoed)
            self.transport.write(echoed)
        if self._line_log is None:
            return None
        why = super().dataReceived(data)
        if data and not data.endswith((b"\n", b"\r")):
            self._line_log.unfinished()
        return why

    def undecidedDataReceived(self, data: bytes) -> None:
        """Echo a 255 at once in mode "stream", although it may begin a command."""
        if self._whole_lines is None and not self._ahead:
            self.transport.write(data)
            self._ahead, self._as_it_is = True, False

    def telnetStarted(self) -> None:
        """Complete the command that an echoed 255 begins for the client: NOP does nothing."""
        self._as_it_is = False
        if self._ahead:
            self.transport.write(bytes([Command.NOP]))
            self._ahead = False

    def readConnectionLost(self) -> None:
        """Echo the bytes that have no line end, unchanged."""
        if self._whole_lines is not None:
            self.transport.write(self._whole_lines.take_rest())
        if self._line_log is not None:
            self._line_log.end()
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Log the bytes that have no line end."""
        if self._line_log is not None:
            self._line_log.end()
            self._line_log = None  # it refers to this protocol
        super().connectionLost(reason)

    def _with_line_ends(self, data: bytes) -> bytes:
        """Return `data` with CR LF for each line end, unless they are to stay unchanged."""
        after_cr, self._echoed_cr = self._echoed_cr, False
        if self.transport.is_nvt:
            self._echoed_cr = data.endswith(b"\r")
            data = line_ends_to_crlf(data, after_cr=after_cr)
        return data

    def _echo_whole_lines(self, splitter: LineSplitter, data: bytes) -> None:
        """Echo each line that `data` completes; echo a line that is too long in pieces."""
        splitter.keep_ends = not self.transport.is_nvt
        splitter.nul_after_cr = self.telnet != "always"
        splitter.feed(data)
        echoed: list[bytes] = []
        while not self.paused:
            try:
                lines = list(splitter.split())
            except LineTooLongError as error:
                echoed.append(error.line)
                self._pieces += 1
                splitter.put_back(b"")  # the rest of the line is not to be skipped
                continue
            if not lines:
                break
            echoed.append(b"".join(lines) if splitter.keep_ends else b"\r\n".join([*lines, b""]))
            self.transport.spend(1 + len(lines) // _LINES_IN_ONE)
        if echoed:
            self.transport.write(b"".join(echoed))

    def eraseReceived(self, *, line: bool) -> None:
        """Erase what has not been echoed yet."""
        if self._line_log is not None:
            super().eraseReceived(line=line)
        if self._whole_lines is not None:
            self._whole_lines.erase(line=line)

    def lineReceived(self, line: bytes) -> None:
        """Log the line."""
        if self._line_log is not None:
            self._line_log.line(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Log the start of the line; the connection continues."""
        if self._line_log is not None:
            self._line_log.too_long(line)
