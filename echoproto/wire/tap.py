"""A tap on a connection: it tells an observer which bytes were moved, in which order, and when.

A `Tap` turns what a connection does into `WireEvent`s. On a plain connection, whoever calls the
socket reports to the tap, so that each event is one system call. On TLS, those bytes are encrypted;
there a `TapLayer`, which stands above TLS in the pipeline, reports the decrypted bytes.

The rules:

- The first event is CONNECTED, and CLOSED is the last one.
- Each end is reported once, however often it is noticed. Data that had arrived before a connection
  was lost may still be received, and is then reported, after LOST.
- An observer cannot harm the connection. If it raises an exception, the tap is off from then on,
  and the exception goes to whoever made the tap.

`layer` is below this module. `client.connection` and `client.stream` report to the tap;
`wire_view` and `pcap` show what it has reported.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from echoproto.wire.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Address: TypeAlias = tuple[str, int] | str
"""The host and the port of a TCP socket, or the path of a Unix socket ("" if it has none).

An IPv6 host may have a zone: fe80::1%eth0. The path of an abstract socket begins with @.
"""


class WireKind(Enum):
    """What has happened on a connection."""

    CONNECTED = auto()
    """The connection is there: from `local` to `remote`."""
    TLS_ESTABLISHED = auto()
    """The TLS handshake has completed. `text` is the version of TLS and the cipher."""
    RECEIVED = auto()
    """`data` has arrived."""
    SENT = auto()
    """`data` was accepted by the system or, on TLS, was encrypted."""
    RECEIVED_EOF = auto()
    """The peer sends no more: its FIN has arrived or, on TLS, its close_notify.

    `text` says what is wrong with that end, if anything is.
    """
    SENT_EOF = auto()
    """We send no more: the socket is half-closed or, on TLS, close_notify is sent."""
    CLOSED = auto()
    """We have closed the connection."""
    LOST = auto()
    """The connection has failed. `text` is the reason."""


class WireEvent(NamedTuple):
    """Something that has happened on a connection.

    `time` is in seconds since the epoch. `WireKind` says which of the other fields an event has.
    """

    time: float
    kind: WireKind
    data: bytes = b""
    local: Address = ""
    remote: Address = ""
    text: str = ""


OnWire: TypeAlias = "Callable[[WireEvent], object]"
"""An observer: a function that is called with each event."""

_ENDS: Final = frozenset([WireKind.RECEIVED_EOF, WireKind.SENT_EOF, WireKind.LOST])


class Tap:
    """Reports what one connection does to `on_wire`, in `WireEvent`s with the time from `now`.

    If `on_wire` raises an exception, `on_error` is called with it, and nothing more is reported.
    """

    def __init__(
        self,
        on_wire: OnWire,
        now: Callable[[], float],
        on_error: Callable[[Exception], object],
    ) -> None:
        self._on_wire, self._now, self._on_error = on_wire, now, on_error
        self._seen: set[WireKind] = set()  # the ends that are reported
        self._is_off = False

    def received(self, data: bytes) -> None:
        """Report that `data` has arrived. No data is no event."""
        if data:
            self.report(WireKind.RECEIVED, data)

    def sent(self, data: bytes) -> None:
        """Report that `data` was sent. No data is no event."""
        if data:
            self.report(WireKind.SENT, data)

    def report(
        self,
        kind: WireKind,
        data: bytes = b"",
        *,
        local: Address = "",
        remote: Address = "",
        text: str = "",
    ) -> None:
        """Report an event, unless it is an end that was reported before, or comes after CLOSED."""
        if self._is_off or kind in self._seen:
            return
        if kind in _ENDS:
            self._seen.add(kind)
        self._is_off = kind is WireKind.CLOSED
        try:
            self._on_wire(WireEvent(self._now(), kind, data, local, remote, text))
        except Exception as error:  # noqa: BLE001 - any error: the connection must not have it
            self._is_off = True
            self._on_error(error)


class TapLayer(Layer):
    """A layer that changes nothing, and reports the bytes that pass through it to `tap`.

    The end that the peer makes is not reported here, because only the connection knows whether it
    was a clean one.
    """

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Report `data`, which has arrived, and pass it on."""
        self._tap.received(data)
        return super().receive(data)

    def send(self, data: bytes) -> bytes:
        """Report `data`, which is about to be sent, and pass it on."""
        self._tap.sent(data)
        return data

    def finish(self) -> bytes:
        """Report the end of the local side."""
        self._tap.report(WireKind.SENT_EOF)
        return b""
