"""Telnet for a Twisted protocol: turns the events of the layer into calls of protocol methods.

The server never negotiates first, because negotiation is garbage on the screen of a client that is
not telnet. A connection is plain until the client negotiates; earlier bytes are not affected. All
that this costs a plain connection is a search for the byte 255 in what arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import (
    Command,
    CommandReceived,
    OptionChanged,
    SubnegotiationReceived,
    TelnetStarted,
)
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import Option, parse_subnegotiation
from echoproto.wire.telnet.scanner import Scanner

if TYPE_CHECKING:
    from echoproto.wire.telnet.scanner import TelnetMode

# To compare numbers with a member of an enum takes twice as long.
_EL, _BINARY = int(Command.EL), int(Option.BINARY)

# The commands that erase what was typed, and whether they erase the whole line.
_ERASES: Final[dict[int, bool]] = {
    int(Command.EC): False,
    int(Command.EL): True,
    int(Command.IP): True,
    int(Command.BRK): True,
    int(Command.ABORT): True,
}

# For Ctrl-C, -U, -Z and -\\, PuTTY sends EL at once, and the key itself before the next line.
KEYS_OF_EL: Final = b"\x03\x15\x1a\x1c"


def may_be_telnet(protocol: Any) -> bool:
    """Whether a client of `protocol` can start telnet now: not while it is in raw mode."""
    mode = getattr(protocol, "telnet", "never")
    return mode == "auto" and bool(getattr(protocol, "line_mode", True))


class _ServerScanner(Scanner):
    """Passes on everything unchanged in raw mode, in which a client cannot start telnet."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any, mode: TelnetMode) -> None:
        super().__init__(mode)
        self._protocol = protocol

    def take_plain(self) -> bytes:
        """Take plain data."""
        if self.mode == "auto" and not may_be_telnet(self._protocol):
            return self.take_rest()
        return super().take_plain()


class ServerTelnet(TelnetCodec):
    """The telnet layer of a connection that serves `protocol`.

    `after_el` is whether EL was the last event, so that the next data may begin with a key.
    """

    __slots__ = ("_client_options", "_protocol", "after_el")

    def __init__(self, protocol: Any, mode: TelnetMode) -> None:
        super().__init__(protocol.telnet_policy, mode=mode, ayt=protocol.answer_to_ayt)
        self._scanner = _ServerScanner(protocol, mode)
        self._client_options = self._negotiation.in_effect[Side.REMOTE]
        self._protocol = protocol
        self.after_el = False

    @property
    def is_nvt(self) -> bool:
        """Whether the client sends text (RFC 854's Network Virtual Terminal), not BINARY."""
        return self._scanner.mode == "always" and _BINARY not in self._client_options

    def take_rest(self) -> bytes:
        """Take the bytes that have arrived and were not scanned yet."""
        return self._scanner.take_rest()

    def dispatch(self, event: Any) -> None:
        """Call the protocol's method for `event`."""
        protocol, kind = self._protocol, type(event)
        if kind is CommandReceived:
            command = event.command
            erases = _ERASES.get(command)
            self.after_el = command == _EL
            if erases is not None:
                protocol.eraseReceived(line=erases)
            protocol.telnetCommandReceived(command)
        elif kind is OptionChanged:
            protocol.telnetOptionChanged(event.side, event.option, on=event.on)
        elif kind is SubnegotiationReceived:
            if received := parse_subnegotiation(event.option, event.payload):
                setattr(protocol, received.attribute, received.value)
                getattr(protocol, received.callback, _ignore)(*received.arguments)
        elif kind is TelnetStarted:
            protocol.telnet = "always"  # which also changes how its lines end
            protocol.telnetStarted()


def _ignore(*_: Any) -> None:
    """Stand in for a callback that the protocol does not define."""
