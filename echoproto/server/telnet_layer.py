"""Telnet for a Twisted protocol: what the layer finds, as calls of the protocol's methods.

The server never speaks first: to a client that is not telnet, negotiation is garbage on its screen.
A connection is plain, and costs no more than one look for a byte 255 in what arrives, until the
client shows that it is telnet; what it sent before then is untouched.
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

# What a client sends to take back what was typed, and whether that is the whole line.
_ERASES: Final[dict[int, bool]] = {
    Command.EC: False,
    Command.EL: True,
    Command.IP: True,
    Command.BRK: True,
    Command.ABORT: True,
}

# PuTTY sends EL at once for Ctrl-C, -U, -Z and -\\, and then the key itself before the next line.
_KEYS_OF_EL: Final = b"\x03\x15\x1a\x1c"


def may_be_telnet(protocol: Any) -> bool:
    """Whether a client of `protocol` can show, now, that it is telnet: not in raw mode."""
    mode = getattr(protocol, "telnet", "never")
    return mode == "auto" and bool(getattr(protocol, "line_mode", True))


class _ServerScanner(Scanner):
    """In raw mode it passes on all that has arrived: nothing in it can show telnet."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any, mode: TelnetMode) -> None:
        super().__init__(mode)
        self._protocol = protocol

    def next(self) -> bytes | tuple[int, ...] | TelnetStarted | None:
        """Take the next piece."""
        if self.mode == "auto" and not may_be_telnet(self._protocol):
            return self.end() or None
        return super().next()


class ServerTelnet(TelnetCodec):
    """The telnet layer of a connection that `protocol` is served on."""

    __slots__ = ("_after_el", "_protocol")

    def __init__(self, protocol: Any, mode: TelnetMode) -> None:
        super().__init__(protocol.telnet_policy, mode=mode, ayt=protocol.answer_to_ayt)
        self._scanner = _ServerScanner(protocol, mode)
        self._protocol = protocol
        self._after_el = False

    @property
    def is_nvt(self) -> bool:
        """Whether the client sends the lines of a Network Virtual Terminal: not in BINARY."""
        return self.is_telnet and not self.is_on(Side.REMOTE, Option.BINARY)

    def take_rest(self) -> bytes:
        """Take what has arrived and was not looked at yet: it is no telnet."""
        return self._scanner.take_rest()

    def data_of(self, data: bytes) -> bytes:
        """What of `data` was typed as data."""
        after_el, self._after_el = self._after_el, False
        return data[data[0] in _KEYS_OF_EL :] if after_el else data

    def dispatch(self, event: Any) -> None:
        """Call the method of the protocol that is for `event`."""
        protocol = self._protocol
        match event:
            case TelnetStarted():
                protocol.telnetStarted()
            case OptionChanged(side, option, on):
                protocol.telnetOptionChanged(side, option, on=on)
            case CommandReceived(command):
                self._after_el = command == Command.EL and self.is_nvt
                if command in _ERASES:
                    protocol.eraseReceived(line=_ERASES[command])
                protocol.telnetCommandReceived(command)
            case SubnegotiationReceived(option, payload):
                if news := parse_subnegotiation(option, payload):
                    setattr(protocol, news.attribute, news.value)
                    getattr(protocol, news.callback, _ignore)(*news.arguments)


def _ignore(*_: Any) -> None:
    """Stand in for a callback that the protocol does not have."""
