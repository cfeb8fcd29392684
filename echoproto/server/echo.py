"""`EchoProtocol`: what comes is sent back, and its lines are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger

from echoproto.server.protocol import LineProtocol
from echoproto.server.telnet import IAC
from echoproto.wire.framing import LineSplitter, LineTooLongError, count_lines, line_ends_to_crlf
from echoproto.wire.negotiation import Side
from echoproto.wire.telnet import Command, Option

if TYPE_CHECKING:
    from typing import Literal

    from twisted.python.failure import Failure

    from echoproto.wire.telnet import TelnetMode

    Mode = Literal["stream", "line"]

log = Logger("echoproto")

_LF, _CR = 0x0A, 0x0D

_FEW = 128
"""Bytes that are not counted before more have come: to count takes about as long for one message
as for a few. With them, an idle connection still takes no more than 2 KiB."""

_SHORT, _LONG = 32, 1024
"""Bytes of a line. `count` takes 0.4 ns for each byte, and `replace` 13 ns for each LF and a copy:
less where lines are not short; where they are long, not."""


class EchoProtocol(LineProtocol):
    """Sends back every byte, in order (RFC 862).

    In mode "stream" a byte comes back as soon as it arrives. In mode "line" it comes back once its
    line is whole; a line of more than MAX_LENGTH bytes is skipped. With `log_lines` each line is
    logged as well. In a telnet connection it sends back what was typed, each line end as CR LF
    (but for BINARY, as it came).
    """

    answer_to_ayt = b"\r\n[yes, the echo server is here]\r\n"

    _echoed_cr = False  # what was echoed ended in a CR, and that went out as CR LF
    _ahead = False  # a 255 was echoed before it was known whether it began a command

    def __init__(
        self, mode: Mode = "stream", *, log_lines: bool = False, telnet: TelnetMode = "auto"
    ) -> None:
        # On the instance, where `dataReceived` reads them fast.
        self._codec = None
        self._splits = mode == "line" or log_lines
        self._uncounted = b""
        self._bytes_counted = self._lines_counted = 0
        self._ended_in_cr = False  # what was counted
        self.telnet = telnet
        self._log_lines = log_lines
        self._whole_lines: LineSplitter | None = None
        if mode == "line":
            self._whole_lines = LineSplitter(max_length=self.MAX_LENGTH, keep_ends=True)

    @property
    def bytes_received(self) -> int:
        """How many bytes have come."""
        return super().bytes_received + len(self._uncounted)

    @property
    def lines_received(self) -> int:
        """How many lines have come."""
        uncounted = count_lines(self._uncounted, after_cr=self._ended_in_cr)
        return self._lines_counted + uncounted + super().lines_received

    def dataReceived(self, data: bytes) -> Any:
        """Echo `data`, and count its lines.

        Plain data, in mode "stream", takes this one frame, and a few calls of C for all its lines.
        To count CR LF takes longer than all the rest: that is for mixed ends only.
        """
        if self._splits or self._codec is not None or IAC in data:
            return super().dataReceived(data)
        self.transport.write(data)
        data = self._uncounted + data  # of which one is empty, mostly: then nothing is copied
        if len(data) < _FEW:
            self._uncounted = data
            return None
        self._uncounted = b""
        bytes_a_line = self._bytes_counted // (self._lines_counted or 1)
        if bytes_a_line > _LONG and (end := data.find(_LF)) in (len(data) - 1, -1):
            lines = int(end != -1)  # nothing need be copied to count one
            mixed = data.find(_CR) not in (end - 1, -1)
        elif bytes_a_line < _SHORT:
            lines = data.count(b"\n")
            mixed = _CR in data
        else:
            without_lf = data.replace(b"\n", b"")
            lines = len(data) - len(without_lf)
            mixed = _CR in without_lf and without_lf.replace(b"\r", b"\r\n") != data
        if mixed or self._ended_in_cr:  # else each CR, if there is one, has its LF
            lines += data.count(b"\r") - (lines and data.count(b"\r\n"))
            lines -= self._ended_in_cr and data.startswith(b"\n")
            self._ended_in_cr = data.endswith(b"\r")
        self._lines_counted += lines
        self._bytes_counted += len(data)
        return None

    def undecidedDataReceived(self, data: bytes) -> None:
        """Hold nothing back in mode "stream", though it may be the start of a command."""
        if not (self._whole_lines or self._ahead):
            self.transport.write(data)
            self._ahead = True

    def telnetBegins(self) -> None:
        """Finish the command that the client takes an echoed 255 for: as NOP, it is nothing."""
        if self._ahead:
            self.transport.write(bytes([Command.NOP]))
            self._ahead = False
        super().telnetBegins()

    def plainDataReceived(self, data: bytes) -> Any:
        """Send `data` back, or the lines that it makes whole."""
        if self._whole_lines is not None:
            self._echo_whole_lines(self._whole_lines, data)
        elif self._codec is None:
            self.transport.write(data)
        else:
            self._echo(data)
        if self._log_lines:
            return super().plainDataReceived(data)
        self._bytes_counted += len(self._uncounted)
        data, self._uncounted = self._uncounted + data, b""
        self._lines_counted += count_lines(data, after_cr=self._ended_in_cr)
        self._ended_in_cr = data.endswith(b"\r")
        return None

    def _echo(self, data: bytes) -> None:
        if self._ahead:
            self._ahead = False
            data = data[1:]
        if self._ends_lines_in_crlf:
            after_cr, self._echoed_cr = self._echoed_cr, data.endswith(b"\r")
            data = line_ends_to_crlf(data, after_cr=after_cr)
        else:
            self._echoed_cr = False
        self.transport.write(data)

    @property
    def _waits(self) -> bool:
        """What has arrived is echoed at once, also when no more is to be read."""
        return False

    @property
    def _ends_lines_in_crlf(self) -> bool:
        codec = self._codec
        return codec is not None and codec.is_telnet and not codec.is_on(Side.HIM, Option.BINARY)

    def eraseReceived(self, *, line: bool) -> None:
        """Forget it, where it was not echoed yet."""
        super().eraseReceived(line=line)
        if self._whole_lines is not None:
            self._whole_lines.erase(line=line)

    def _echo_whole_lines(self, splitter: LineSplitter, data: bytes) -> None:
        splitter.keep_ends = not self._ends_lines_in_crlf
        end = b"" if splitter.keep_ends else b"\r\n"
        splitter.feed(data)
        complete = False
        while not complete:
            lines: list[bytes] = []
            try:
                lines.extend(splitter)
                complete = True
            except LineTooLongError as error:
                if not self._log_lines:
                    self.lineLengthExceeded(error.line)
            if lines:
                self.transport.write(b"".join([line + end for line in lines] if end else lines))

    def lineReceived(self, line: bytes) -> None:
        """Log the line, as Python writes bytes: nothing in it can look like a log line."""
        log.info("[{id}] {line!r}", id=self.connection_id, line=line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Log it; the connection goes on."""
        log.info(
            "[{id}] a line of more than {max} bytes{outcome}: {start!r}...",
            id=self.connection_id,
            max=self.MAX_LENGTH,
            outcome=" is not echoed" if self._whole_lines else "",
            start=line[:32],
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Log what was not echoed because its line has no end."""
        if self._whole_lines is not None and (rest := self._whole_lines.take_rest()):
            log.info(
                "[{id}] the last {count} bytes were not echoed: their line has no end",
                id=self.connection_id,
                count=len(rest),
            )
        super().connectionLost(reason)
