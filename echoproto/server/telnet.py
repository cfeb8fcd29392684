"""Telnet for a Twisted protocol: `TelnetMixin`, and the `TelnetTransport` that it writes to.

The server never speaks first: to a client that is not telnet, negotiation is garbage on its screen.
A connection is plain, and costs no more than one look for a byte 255 in what arrives, until the
client shows that it is telnet; what it sent before then is untouched.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from zope.interface import directlyProvides, providedBy

from echoproto.wire.negotiation import Policy, Side
from echoproto.wire.telnet import (
    Command,
    CommandReceived,
    DataReceived,
    Option,
    OptionChanged,
    Reply,
    SubnegotiationReceived,
    TelnetBegins,
    TelnetCodec,
    terminal_type,
    window_size,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from echoproto.wire.telnet import Event, TelnetMode

IAC = 0xFF
"""A number: to look for bytes of length one in bytes takes eight times as long."""

# What a client sends to take back what was typed: whether that is the whole line.
_ERASES = {
    Command.EC: False,
    Command.EL: True,
    Command.IP: True,
    Command.BRK: True,
    Command.ABORT: True,
}

# PuTTY sends EL at once for Ctrl-C, -U, -Z and -\, and then the key itself before the next line.
_KEYS_OF_EL = b"\x03\x15\x1a\x1c"


class TelnetTransport:
    """A transport that escapes what is written to it; `wrapped` is the one that does not.

    For all but writing it is that transport. While it is `gathering`, what is written waits: on
    TLS each write is a record of its own, and a chunk may hold a thousand commands.
    """

    def __init__(self, wrapped: Any, codec: TelnetCodec) -> None:
        self.wrapped = wrapped
        self._codec = codec
        self._gathered: bytearray | None = None
        directlyProvides(self, providedBy(wrapped))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def write(self, data: bytes) -> None:
        """Write data."""
        self.write_as_is(self._codec.encode(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write data that is in pieces."""
        self.write(b"".join(data))

    def write_as_is(self, wire: bytes) -> None:
        """Write bytes of telnet."""
        if self._gathered is None:
            self.wrapped.write(wire)
        else:
            self._gathered += wire

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """For the time of the block, what is written waits for its end."""
        self._gathered = bytearray()
        try:
            yield
        finally:
            self.flush()

    def flush(self) -> None:
        """Write what waits, and let nothing wait any more."""
        gathered, self._gathered = self._gathered, None
        if gathered:
            self.wrapped.write(bytes(gathered))

    def loseConnection(self) -> None:
        """Close the connection, once all is written."""
        self.flush()
        self.wrapped.loseConnection()

    def loseWriteConnection(self) -> None:
        """Close our side of the connection, once all is written."""
        self.flush()
        self.wrapped.loseWriteConnection()

    def startTLS(self, *args: Any, **kwargs: Any) -> None:
        """Go on with TLS, after what is written."""
        self.flush()
        self.wrapped.startTLS(*args, **kwargs)


def receive_urgent_in_line(handle: Any) -> None:
    """Have the urgent byte of Telnet's Synch come in its place; `handle` is a socket.

    Otherwise TCP takes it out of the stream, and leaves half of a command (RFC 854, page 9; which
    half is urgent depends on the client). What a listening socket accepts inherits it.
    """
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


class TelnetMixin:
    """The half of `LineProtocol` that stands between the transport and the lines.

    It gives data, freed of telnet, to `plainDataReceived`.
    """

    telnet: TelnetMode = "auto"
    """Whether a connection is telnet: "always", "never", or "auto", once the client shows it
    (`wire.telnet` has the rule). A client can not show it while the protocol is in raw mode."""
    telnet_policy = Policy(
        us=frozenset([Option.BINARY]),
        him=frozenset([Option.BINARY, Option.TTYPE, Option.NAWS]),
    )
    """What is agreed to when a telnet client proposes it. Without ECHO and SGA, clients edit lines
    themselves."""
    answer_to_ayt = b"\r\n[yes, I am here]\r\n"
    """What a telnet client is told that asks AYT, are you there."""
    window_size: tuple[int, int] | None = None
    """Columns and rows of the telnet client's window, if it tells them; 0 is unknown."""
    terminal_type: str | None = None
    """The telnet client's terminal, if it tells that."""

    transport: Any
    line_mode: Any
    paused: Any
    half_closed: bool
    _read_lost: bool
    _events_wait = False
    _taking_events = False
    _codec: TelnetCodec | None = None
    _after_el = False
    _telnet_eof = False
    _bytes_counted = 0

    @property
    def bytes_received(self) -> int:
        """How many bytes have come, those of telnet as well."""
        return self._bytes_counted

    # For subclasses

    def windowSizeChanged(self, columns: int, rows: int) -> None:
        """The telnet client tells the size of its window; 0 is unknown (RFC 1073)."""

    def terminalTypeReceived(self, name: str) -> None:
        """The telnet client tells what its terminal is (RFC 1091)."""

    def telnetBegins(self) -> None:
        """The client has shown that it is telnet. Call the inherited one if you override it."""
        self.transport = TelnetTransport(self.transport, self._make_codec())

    def telnetOptionChanged(self, side: Side, option: int, *, on: bool) -> None:
        """An option is on, or off, for us or for the client, from now on."""

    def telnetCommandReceived(self, command: int) -> None:
        """The telnet client has sent a command that is none of negotiation.

        EC takes back the last character, EL, IP, BRK and ABORT what has come of a line that has no
        end yet. EOF is the end of what the client sends, as half-close is.
        """
        if command in _ERASES:
            self.eraseReceived(line=_ERASES[Command(command)])
            binary = self._codec is not None and self._codec.is_on(Side.HIM, Option.BINARY)
            self._after_el = command == Command.EL and not binary
        elif command == Command.EOF:
            self._telnet_eof = True

    @property
    def is_telnet(self) -> bool:
        """Whether this is a telnet connection, as far as the client has shown."""
        return self._codec is not None and self._codec.is_telnet

    def requestTelnetOption(self, side: Side, option: int, *, on: bool) -> None:
        """Ask a telnet client to agree on an option; `telnetOptionChanged` tells if it does.

        If it refuses, nothing is called. Raises ValueError if the connection is not telnet.
        """
        if self._codec is None or not self._codec.is_telnet:
            raise ValueError("the client has not shown that it is telnet: see is_telnet")
        self.transport.write_as_is(self._codec.request(side, option, on=on))

    # What LineProtocol has

    def plainDataReceived(self, data: bytes) -> Any:
        """Take data, freed of telnet."""
        raise NotImplementedError

    def undecidedDataReceived(self, data: bytes) -> None:
        """A 255 has come, and what comes next will show what it is; it is given again then."""

    def eraseReceived(self, *, line: bool) -> None:
        """Forget the last character of a line that has no end yet, or all of it."""
        raise NotImplementedError

    def eofReceived(self) -> None:
        """The client has sent its last byte."""
        raise NotImplementedError

    # What arrives

    def dataReceived(self, data: bytes) -> Any:
        """Free `data` of telnet, and act on what telnet says."""
        self._bytes_counted += len(data)
        if self._codec is None and (IAC not in data or self.telnet == "never"):
            return self.plainDataReceived(data)
        codec = self._make_codec()
        if self._telnet_eof:
            return None  # after EOF there is nothing
        codec.feed(data)
        return self._take_events(codec)

    def _take_events(self, codec: TelnetCodec) -> Any:
        """Act on what has arrived, as far as not paused: a line may lead to raw mode."""
        self._taking_events = True
        try:
            with self.transport.gathering() if codec.is_telnet else nullcontext():
                why = self._take_each(codec)
        finally:
            self._taking_events = self._events_wait = False
        if self._telnet_eof:
            self.eofReceived()
        if why or self._telnet_eof or self.transport.disconnecting:
            return why
        if self._waits or codec.is_telnet:
            self._events_wait = self._waits
            return None
        if self.line_mode and not (codec.is_plain or self._read_lost):
            if codec.held:
                self.undecidedDataReceived(codec.held)
            return None
        # It is not telnet. In raw mode that is for now: nothing that comes can show it.
        rest = codec.end()
        why = self.plainDataReceived(rest) if rest else None
        self._codec = None
        if codec.is_plain:
            self.telnet = "never"
        return why

    def _take_each(self, codec: TelnetCodec) -> Any:
        events = codec.events()
        why: Any = None
        while (codec.is_telnet or self.line_mode) and not (
            why or self._waits or self._telnet_eof or self.transport.disconnecting
        ):
            event = next(events, None)
            if event is None:
                break
            why = self._act_on(event)
        return why

    @property
    def _waits(self) -> bool:
        """Whether what has arrived is left for later."""
        return bool(self.paused)

    def _make_codec(self) -> TelnetCodec:
        if self._codec is None:
            self._codec = TelnetCodec(self.telnet_policy, mode=self.telnet, ayt=self.answer_to_ayt)
        return self._codec

    def _act_on(self, event: Event) -> Any:
        match event:
            case DataReceived(data):
                if self._after_el:
                    self._after_el = False
                    data = data[data[0] in _KEYS_OF_EL :]
                return self.plainDataReceived(data) if data else None
            case Reply(data):
                self.transport.write_as_is(data)
            case TelnetBegins():
                self.telnetBegins()
            case OptionChanged(side, option, on):
                self.telnetOptionChanged(side, option, on=on)
            case CommandReceived(command):
                self.telnetCommandReceived(command)
            case SubnegotiationReceived(option, payload):
                self._act_on_subnegotiation(option, payload)
        return None

    def _act_on_subnegotiation(self, option: int, payload: bytes) -> None:
        if option == Option.NAWS and (size := window_size(payload)):
            self.window_size = size
            self.windowSizeChanged(*size)
        elif option == Option.TTYPE and (name := terminal_type(payload)):
            self.terminal_type = name
            self.terminalTypeReceived(name)
