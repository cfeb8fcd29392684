r"""What a tap reports, as lines for a person: each event with its time, its size and its bytes.

    12:34:56.789 * connected from 127.0.0.1:40000 to 127.0.0.1:23
    12:34:56.790 < received 10 bytes
      0000  ff fb 01                                          IAC WILL ECHO
      0003  6c 6f 67 69 6e 3a 20                              login:
    12:34:57.456 > sent 7 bytes
      0000  61 6c 69 63 65 0d 0a                              alice\r\n
    12:34:58.123 < end: the peer sends no more (FIN)

A line is a list of fragments, each with the name of a style. A terminal shows the styles; a file
takes the text alone (`text_of`). Nothing in a line can control the terminal, whatever the peer has
sent: `dump` escapes it.

`tap`, `hex_rows` and `telnet.pieces` are below this module. The pipe and the shell are above it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from echoproto.wire.dump import escape
from echoproto.wire.hex_rows import bytes_in_row, data_rows, words_rows
from echoproto.wire.tap import WireKind
from echoproto.wire.telnet.pieces import TelnetPieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, tzinfo

    from echoproto.wire.hex_rows import Line, Style
    from echoproto.wire.tap import Address, WireEvent
    from echoproto.wire.telnet.scanner import TelnetMode

WIDTH: Final = 80
"""Columns of a line, unless it has long words or control bytes."""

_SENT: Final[tuple[str, Style]] = (">", "sent")
_RECEIVED: Final[tuple[str, Style]] = ("<", "received")
_NOTICE: Final[tuple[str, Style]] = ("*", "notice")
_MARKS: Final = {
    WireKind.SENT: _SENT,
    WireKind.SENT_EOF: _SENT,
    WireKind.RECEIVED: _RECEIVED,
    WireKind.RECEIVED_EOF: _RECEIVED,
}
"""How the line of an event begins, and its style."""

_BATCH: Final = 1000  # lines
_INDENT: Final = "  "
_LEAST_DIGITS: Final = 4  # of an offset


class WireView:
    """Turns the events of a tap into lines.

    `mode` says when the connection is telnet: "always", "never", or "auto", which means as soon as
    the bytes show it, by the rules of `telnet.scanner`. Otherwise, 255 is a byte like any other.
    `width` is the number of columns, and may be changed at any time. `max_rows` is the largest
    number of rows of hex for an event; the bytes after them are only counted. If `is_dated`, a line
    with the date precedes the first event of each day. `zone` is the time zone, by default the
    local one.
    """

    def __init__(
        self,
        mode: TelnetMode = "never",
        *,
        width: int = WIDTH,
        max_rows: int | None = None,
        is_dated: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        self.width, self.max_rows = width, max_rows
        self._mode, self._zone = mode, zone
        self._is_dated = is_dated
        self._date: date | None = None
        self._connect("")

    def _connect(self, local: Address) -> None:
        """Begin a connection."""
        self._sent, self._received = TelnetPieces(self._mode), TelnetPieces(self._mode)
        self._end = "" if isinstance(local, str) else " (FIN)"  # how a direction ends

    def lines(self, event: WireEvent) -> list[Line]:
        """Return the lines for `event`, which follows those that were passed before."""
        return list(self._iter_lines(event))

    def batches(self, event: WireEvent) -> Iterator[list[Line]]:
        """Yield the same lines, at most _BATCH at a time: an event can have very many.

        The iterator must be used up before the next event.
        """
        lines = self._iter_lines(event)
        while batch := list(islice(lines, _BATCH)):
            yield batch

    def _iter_lines(self, event: WireEvent) -> Iterator[Line]:
        if event.kind is WireKind.CONNECTED:
            self._connect(event.local)
        elif event.kind is WireKind.TLS_ESTABLISHED:
            self._end = " (close_notify)"
        time = datetime.fromtimestamp(event.time, self._zone)
        yield from self._date_line(time)
        mark, style = _MARKS.get(event.kind, _NOTICE)
        clock = f"{time:%H:%M:%S}.{time.microsecond // 1000:03}"
        yield [("dim", f"{clock} "), (style, f"{mark} {self._words(event)}")]
        if event.data:
            yield from self._rows(event.data, style, self._pieces(event))

    def _date_line(self, time: datetime) -> Iterator[Line]:
        if self._is_dated and time.date() != self._date:
            self._date = time.date()
            zone = time.astimezone(self._zone).isoformat()[-len("+00:00") :]
            yield [("notice", f"{self._date.isoformat()} (UTC{zone})")]

    def _words(self, event: WireEvent) -> str:
        """Return what an event is."""
        text = _escaped(event.text)
        words = {
            WireKind.CONNECTED: f"connected{_ways(event.local, event.remote)}",
            WireKind.TLS_ESTABLISHED: f"TLS is established ({text}): shown decrypted",
            WireKind.RECEIVED: f"received {_count(len(event.data))}",
            WireKind.SENT: f"sent {_count(len(event.data))}",
            WireKind.RECEIVED_EOF: "end: the peer sends no more"
            + (f", {text}" if text else self._end),
            WireKind.SENT_EOF: f"end: we send no more{self._end}",
            WireKind.CLOSED: "closed",
            WireKind.LOST: f"lost: {text}",
        }
        return words[event.kind]

    def _pieces(self, event: WireEvent) -> Iterator[tuple[bytes, str]]:
        """Yield the pieces of the data of `event`.

        What the peer sends decides whether a connection is telnet. We may also begin telnet, with a
        command.
        """
        if event.kind is WireKind.RECEIVED:
            yield from self._received.cut(event.data)
            if self._received.mode != "auto":
                self._sent.mode = self._received.mode
        else:
            yield from self._sent.cut(event.data)
            if self._sent.mode == "always":
                self._received.mode = "always"

    def _rows(
        self, data: bytes, style: Style, pieces: Iterable[tuple[bytes, str]]
    ) -> Iterator[Line]:
        """Yield the rows of the pieces of `data`."""
        size = bytes_in_row(self.width)
        digits = max(_LEAST_DIGITS, len(f"{len(data) - 1:x}"))
        start = rows = 0
        shown = None  # number of bytes that are shown, if it is not all of them
        for raw, words in pieces:
            if shown is None:
                cut = words_rows(raw, words, size) if words else data_rows(raw, style, size)
                for offset, line in cut:
                    if rows == self.max_rows:
                        shown = start + offset
                        break
                    rows += 1
                    yield [("dim", f"{_INDENT}{start + offset:0{digits}x}  "), *line]
            start += len(raw)
        if shown is not None:
            yield [("dim", f"{_INDENT}… {len(data) - shown:,} more bytes")]


def text_of(lines: Iterable[Line]) -> str:
    """Return the text of `lines` without styles, each with a line end."""
    return "".join(f"{''.join(text for _, text in line)}\n" for line in lines)


def _count(size: int) -> str:
    return f"{size:,} byte{'' if size == 1 else 's'}"


def _ways(local: Address, remote: Address) -> str:
    """Return from where and to where a connection is, as far as that is known."""
    ways = zip(("from", "to"), map(_address, (local, remote)), strict=True)
    return "".join(f" {word} {address}" for word, address in ways if address)


def _escaped(text: str) -> str:
    return escape(text.encode("utf-8", "surrogateescape"))


def _address(address: Address) -> str:
    if isinstance(address, str):
        return _escaped(address)
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
