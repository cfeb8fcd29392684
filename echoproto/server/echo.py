"""`EchoProtocol`: what comes is sent back (RFC 862)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from echoproto.errors import LineTooLongError
from echoproto.server.protocol import LineProtocol
from echoproto.wire.framing import LineSplitter, line_ends_to_crlf
from echoproto.wire.telnet.commands import Command

if TYPE_CHECKING:
    from typing import Literal

    from echoproto.wire.telnet.scanner import TelnetMode

    Mode = Literal["stream", "line"]

log = Logger("echoproto")


class EchoProtocol(LineProtocol):
    """Sends back every byte, in order.

    In mode "stream" a byte comes back as soon as it arrives. In mode "line" it comes back once its
    line is whole, or longer than MAX_LENGTH bytes, or at the end of the connection. With
    `log_lines` each line is logged as well. In a telnet connection it sends back what was typed,
    each line end as CR LF (but for BINARY, as it came).
    """

    answer_to_ayt = b"\r\n[yes, the echo server is here]\r\n"

    # On the class, as most connections never change it: that saves memory for each.
    _as_it_is = True  # what comes goes back as it is
    _log_lines = False
    _whole_lines: LineSplitter | None = None
    _echoed_cr = False  # what was echoed ended in a CR, and that went out as CR LF
    _pieces = 0  # of lines that were too long
    _ahead = False  # a 255 was echoed before it was known whether it began a command

    def __init__(
        self, mode: Mode = "stream", *, log_lines: bool = False, telnet: TelnetMode = "auto"
    ) -> None:
        if telnet != self.telnet:
            self.telnet = telnet
        if mode == "line":
            self._whole_lines = LineSplitter(max_length=self.MAX_LENGTH, keep_ends=True)
            self._as_it_is = False
        if log_lines:
            self._log_lines, self._as_it_is = True, False

    @property
    def lines_received(self) -> int | None:
        """How many lines have come; None where they are not looked for."""
        if self._log_lines:
            return super().lines_received
        return self._whole_lines.taken - self._pieces if self._whole_lines is not None else None

    def dataReceived(self, data: bytes) -> Any:
        """Echo `data`, or the lines that it makes whole."""
        if self._as_it_is:
            self.transport.write(data)
            return None
        if self._whole_lines is not None:
            self._echo_whole_lines(self._whole_lines, data)
        elif data:  # none comes when a connection that was paused goes on
            self._echo(data)
        return super().dataReceived(data) if self._log_lines else None

    def undecidedDataReceived(self, data: bytes) -> None:
        """Hold nothing back in mode "stream", though it may be the start of a command."""
        if self._whole_lines is None and not self._ahead:
            self.transport.write(data)
            self._ahead, self._as_it_is = True, False

    def telnetStarted(self) -> None:
        """Finish the command that the client takes an echoed 255 for: as NOP, it is nothing."""
        self._as_it_is = False
        if self._ahead:
            self.transport.write(bytes([Command.NOP]))
            self._ahead = False

    def readConnectionLost(self) -> None:
        """Echo what has no line end, as it came."""
        if self._whole_lines is not None:
            self.transport.write(self._whole_lines.take_rest())
        super().readConnectionLost()

    def _echo(self, data: bytes) -> None:
        if self._ahead:
            data = data[1:]
            self._ahead = False
            self._as_it_is = not self._log_lines
        if self.transport.is_nvt:
            after_cr, self._echoed_cr = self._echoed_cr, data.endswith(b"\r")
            data = line_ends_to_crlf(data, after_cr=after_cr)
        else:
            self._echoed_cr = False
        self.transport.write(data)

    def _echo_whole_lines(self, splitter: LineSplitter, data: bytes) -> None:
        """Echo each line that `data` makes whole; a line that is too long, in pieces."""
        splitter.keep_ends = not self.transport.is_nvt
        splitter.feed(data)
        echoed: list[bytes] = []
        while True:
            try:
                lines = list(splitter.split())
            except LineTooLongError as error:
                echoed.append(error.line)
                self._pieces += 1
                splitter.put_back(b"")  # so that the rest of the line is not skipped
                continue
            if not lines:
                break
            echoed.append(b"".join(lines) if splitter.keep_ends else b"\r\n".join([*lines, b""]))
        self.transport.write(b"".join(echoed))

    def eraseReceived(self, *, line: bool) -> None:
        """Forget it, where it was not echoed yet."""
        super().eraseReceived(line=line)
        if self._whole_lines is not None:
            self._whole_lines.erase(line=line)

    def lineReceived(self, line: bytes) -> None:
        """Log the line, as Python writes bytes: nothing in it can look like a log line."""
        log.info("[{id}] {line!r}", id=self.transport.number, line=line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Log how it begins; the connection goes on."""
        log.info(
            "[{id}] a line of more than {max} bytes: {start!r}...",
            id=self.transport.number,
            max=self.MAX_LENGTH,
            start=line[:32],
        )
