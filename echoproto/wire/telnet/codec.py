"""Telnet as a layer: handle the commands of the peer, reply to them, and escape data to send.

The rules (RFC 854 and RFC 855, unless another RFC is named):

- A command may stand anywhere in the stream, and a chunk may end anywhere in a command: the events
  are the same. `scanner` cuts the stream, and implements mode "auto".
- Each direction of an option is negotiated separately, by the Q method of RFC 1143 (`negotiation`).
  The Policy lists the options to agree to; every other option is refused. `options` is the table of
  options.
- Unless BINARY (RFC 856) is in effect, CR NUL is received as CR, and CR LF stays CR LF. Both are
  line ends (RFC 1123, section 3.3.1), and `framing` accepts both. A CR that no LF follows is sent
  as CR NUL.
- Each DO TIMING-MARK (RFC 860) is answered in its place among the data: with WILL if the Policy
  lists it, and with WONT otherwise. AYT is answered there too, with text.
- All replies together exceed the bytes received by at most MAX_REPLY_EXCESS bytes. The reply to a
  negotiation is as long as the request. Any other reply that would exceed the bound is omitted.

`layer` defines the verbs. The bytes that `command`, `request`, `subnegotiate` and `resize` return
must be sent unchanged, below this layer (`Pipeline.send_below`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from echoproto.errors import NotTelnetError
from echoproto.wire.layer import DataReceived, Ended, Layer, Reply
from echoproto.wire.telnet.commands import (
    NEGOTIATION_COMMAND,
    NEGOTIATION_MEANING,
    Command,
    CommandReceived,
    OptionChanged,
    SubnegotiationReceived,
    TelnetStarted,
)
from echoproto.wire.telnet.negotiation import Negotiation, Side
from echoproto.wire.telnet.options import ANSWERS, EACH_TIME, Option, side_entry
from echoproto.wire.telnet.scanner import SIGNS_OF_CLIENT, Scanner, Signs, TelnetMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.wire.telnet.negotiation import Outcome, Policy

MAX_REPLY_EXCESS: Final = 512
"""Number of bytes by which all replies together may exceed the bytes received."""

MAX_SUBNEGOTIATION: Final = 1024
"""Largest number of bytes in a subnegotiation. A longer one is dropped."""


Event: TypeAlias = (
    DataReceived
    | Reply
    | Ended
    | TelnetStarted
    | CommandReceived
    | OptionChanged
    | SubnegotiationReceived
)

LARGE_REPLY: Final = 256
"""Number of bytes of replies that are yielded although no event follows them.

Replies are joined up to the next event, and a flood of negotiation has no events.
"""

_IAC: Final = int(Command.IAC)
_SE, _AYT, _SB = map(int, (Command.SE, Command.AYT, Command.SB))
_CR, _LF = 0x0D, 0x0A
_ECHO: Final = int(Option.ECHO)
_ESCAPED_IAC: Final = b"\xff\xff"
_IAC_SE: Final = bytes([Command.IAC, Command.SE])
_NEGOTIATION_START: Final = {
    key: bytes([Command.IAC, command]) for key, command in NEGOTIATION_COMMAND.items()
}
_REQUEST_LENGTH: Final = 3
_new_tuple = tuple.__new__  # takes half of the time of calling a NamedTuple
_COMMANDS: Final = tuple(map(CommandReceived, range(256)))

# The commands that are an event and nothing else, wherever they stand but in a subnegotiation.
_PLAIN_COMMANDS: Final = {
    bytes([Command.IAC, event.command]): event
    for event in _COMMANDS
    if event.command not in {Command.SB, Command.AYT, Command.IAC, *NEGOTIATION_MEANING}
}


class TelnetCodec(Layer):
    """One end of a telnet connection.

    `policy` lists the options to agree to. `mode` defines when the connection is telnet: "always",
    "never", or "auto", which means as soon as the peer shows that it is telnet; `signs` is what
    shows it. `ayt` is the text that answers AYT. `terminal_type` is sent when the peer asks for it
    while TTYPE is in effect on the local side; `options` says what is sent to a peer that asks
    again. `window_size` (columns by rows) is sent when NAWS comes into effect on the local side,
    and by `resize`. When TTYPE comes into effect on the remote side, the layer asks the peer for
    its terminal type.
    """

    __slots__ = (
        "_after_cr",
        "_ended",
        "_events",
        "_negotiation",
        "_offers_echo",
        "_open_cr",
        "_replied",
        "_reply",
        "_scanner",
        "_subnegotiation",
        "ayt",
        "terminal_type",
        "terminal_types_sent",
        "window_size",
    )

    def __init__(
        self,
        policy: Policy,
        *,
        mode: TelnetMode = "always",
        signs: Signs = SIGNS_OF_CLIENT,
        ayt: bytes = b"\r\n[yes]\r\n",
        terminal_type: str = "UNKNOWN",
        window_size: tuple[int, int] = (0, 0),
    ) -> None:
        self.ayt = ayt
        self.terminal_type = terminal_type
        self.terminal_types_sent = 0
        self.window_size = window_size
        self._negotiation = Negotiation(policy)
        self._scanner = Scanner(mode, signs)
        self._after_cr = False  # the last data ended with CR: a following NUL belongs to it
        self._offers_echo = False  # whether the peer last sent WILL ECHO, and not WONT ECHO
        self._open_cr = False  # the last data that was sent ended with CR: a NUL or LF must follow
        self._subnegotiation: bytearray | None = None  # the start of an unfinished subnegotiation
        self._events: deque[Event] = deque()
        self._reply = bytearray()  # must be yielded before `_events`
        self._replied = 0  # number of bytes in all replies so far
        self._ended = False  # `eof` was called, and `Ended` is not yet yielded

    # Receiving

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take `data` at once. Return the events of everything that is pending."""
        self._scanner.feed(data)
        return self._find_events()

    def eof(self) -> Iterator[Event]:
        """Handle the end of input from below. Return the pending events, then `Ended`.

        If the peer has not shown whether it is telnet, a byte 255 at the end is delivered as data.
        """
        self._ended = True
        return self._find_events()

    def _find_events(self) -> Iterator[Event]:
        # A peer can send half a million commands in a MiB: what one costs counts.
        events, scanner = self._events, self._scanner
        while True:
            while events or len(self._reply) >= LARGE_REPLY:
                yield self._take_reply() if self._reply else events.popleft()
            for piece in scanner.pieces:
                scanner.taken += len(piece)
                event: Event | None = _PLAIN_COMMANDS.get(piece)
                if event is None or self._subnegotiation is not None:
                    event = self._handle(piece)
                if event is not None and not self._reply:
                    yield event
                elif event is not None:
                    events.append(event)
                if events or self._reply:
                    break
            else:
                if not (self.is_telnet and scanner.cut()):
                    event = self._find_last()
                    if event is None:
                        return
                    yield event

    def _find_last(self) -> Event | None:
        """Find the next event when no piece is left that the scanner could cut."""
        if self._reply:
            return self._take_reply()
        if not self.is_telnet:
            if data := self._scanner.take_plain():
                return DataReceived(data)
            if self.is_telnet:
                return TelnetStarted()
        if not self._ended:
            return None
        if rest := self._scanner.end():
            return DataReceived(rest)
        self._ended = False
        return Ended()

    @property
    def is_telnet(self) -> bool:
        """Whether the connection is telnet: commands are handled, and data is escaped."""
        return self._scanner.mode == "always"

    @property
    def is_plain(self) -> bool:
        """Whether the connection is not telnet and never will be: bytes pass unchanged."""
        return self._scanner.mode == "never"

    @property
    def pending(self) -> bytes:
        """The bytes of an unfinished command, or a byte 255 that may begin one."""
        return self._scanner.pending

    # Sending

    def send(self, data: bytes) -> bytes:
        """Return `data` escaped: each IAC is doubled, and a bare CR becomes CR NUL.

        A CR before an LF does not change, and no CR does while BINARY is in effect on the local
        side. What follows a CR at the end of `data` goes out with the next data, or with `finish`;
        but a peer that takes each key by itself gets CR NUL at once. If the connection is not
        telnet, return `data` unchanged.
        """
        if self._scanner.mode != "always" or not data:
            return data
        if _CR in data or self._open_cr:
            data = self._with_nuls(data)
        return data.replace(b"\xff", _ESCAPED_IAC) if _IAC in data else data

    def _with_nuls(self, data: bytes) -> bytes:
        """Return `data` with the NUL after each bare CR, unless BINARY is in effect."""
        was_open, self._open_cr = self._open_cr, False
        if self.is_on(Side.LOCAL, Option.BINARY):
            return data
        start = b"\0" if was_open and data[0] != _LF else b""
        self._open_cr = data[-1] == _CR and not self._takes_keys
        if data.count(b"\r") > data.count(b"\r\n"):
            data = data.replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
        return start + (data[:-1] if self._open_cr else data)

    def finish(self) -> bytes:
        """Return the NUL after a CR that was the last byte sent, if one is due."""
        is_due, self._open_cr = self._open_cr, False
        return b"\0" if is_due and not self.is_on(Side.LOCAL, Option.BINARY) else b""

    @property
    def line_end(self) -> bytes:
        """The data to send for a typed Enter.

        CR LF (RFC 1123, section 3.3.1), or a bare CR for a peer that takes each key by itself. One
        that echoes does so if it sends no go-ahead (SGA); `send` changes that CR to CR NUL. In
        BINARY, which has no convention for line ends (RFC 1123, section 3.2.7), a CR LF would be
        two keys to every peer that has offered to echo, even if this end has refused the offer.
        """
        return b"\r" if self._takes_keys else b"\r\n"

    @property
    def _takes_keys(self) -> bool:
        """Whether the peer takes each key by itself, and must not wait for the NUL of an Enter."""
        if self.is_on(Side.LOCAL, Option.BINARY):
            return self._offers_echo
        return self.is_on(Side.REMOTE, Option.ECHO) and self.is_on(Side.REMOTE, Option.SGA)

    def command(self, command: int) -> bytes:
        """Return the bytes of a command. From now on, the connection is telnet.

        Raises NotTelnetError if the connection is known not to be telnet.
        """
        self._become_telnet()
        return bytes([Command.IAC, command])

    def request(self, side: Side, option: int, *, on: bool) -> bytes:
        """Request that `option` be enabled on `side` if `on` is true, or else disabled.

        Return the bytes to send, which may be none for now. An OptionChanged event follows if this
        changes whether the option is in effect; otherwise none does. A request to enable an option
        counts as agreement to it, whatever the policy. From now on, the connection is telnet.

        Raises NotTelnetError if the connection is known not to be telnet.
        """
        self._become_telnet()
        return self._apply(side, option, self._negotiation.asked(side, option, on=on))

    def subnegotiate(self, option: int, payload: bytes) -> bytes:
        """Return the bytes of a subnegotiation, with `payload` escaped.

        Raises NotTelnetError if the connection is known not to be telnet.
        """
        content = bytes([option]) + payload
        return self.command(Command.SB) + content.replace(b"\xff", _ESCAPED_IAC) + _IAC_SE

    def resize(self, columns: int, rows: int) -> bytes:
        """Set the size of the local window, and return the bytes that notify the peer (RFC 1073).

        Return b"" if the size has not changed or NAWS is not in effect on the local side.
        """
        if self.window_size == (columns, rows):
            return b""
        self.window_size = (columns, rows)
        return self._begin(Side.LOCAL, Option.NAWS) if self.is_on(Side.LOCAL, Option.NAWS) else b""

    def _become_telnet(self) -> None:
        if self.is_plain:
            raise NotTelnetError("this connection is not telnet")
        self._scanner.mode = "always"

    # Options in effect

    def is_on(self, side: Side, option: int) -> bool:
        """Return whether `option` is in effect on `side`."""
        return option in self._negotiation.in_effect[side]

    def options(self, side: Side) -> list[int]:
        """Return the options in effect on `side`, sorted by number."""
        return self._negotiation.options(side)

    def _apply(self, side: Side, option: int, outcome: Outcome) -> bytes:
        """Queue an event if the option has changed; return the bytes to send to the peer."""
        if outcome.changed_to is not None:
            self._events.append(OptionChanged(side, option, outcome.changed_to))
        if outcome.to_send is None:
            return b""
        return _NEGOTIATION_START[side, outcome.to_send] + bytes((option,))

    # The pieces into which the scanner cuts the stream: a handler returns the event, if any

    def _handle(self, piece: bytes) -> Event | None:
        if piece[0] == _IAC and piece[1] != _IAC:
            return self._handle_command(piece)
        if _IAC in piece:
            piece = piece.replace(_ESCAPED_IAC, b"\xff")
        if self._subnegotiation is not None:
            room = MAX_SUBNEGOTIATION + 1 - len(self._subnegotiation)
            self._subnegotiation += piece[:room]
            return None
        if self._negotiation.turns:
            self._negotiation.turns.clear()  # the peer is not in a loop
        if self._after_cr or 0 in piece or piece[-1] == _CR:
            piece = self._without_nuls(piece)
            if not piece:
                return None
        return _new_tuple(DataReceived, (piece,))

    def _without_nuls(self, data: bytes) -> bytes:
        """Return `data` with each CR NUL replaced by CR, unless BINARY is in effect."""
        after_cr, self._after_cr = self._after_cr, False
        if self.is_on(Side.REMOTE, Option.BINARY):
            return data
        if after_cr and data.startswith(b"\0"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\0", b"\r")

    def _handle_command(self, piece: bytes) -> Event | None:
        command = piece[1]
        if self._subnegotiation is not None:
            # In a subnegotiation, any command but SE is an error. It ends the subnegotiation too,
            # which would otherwise never end.
            content, self._subnegotiation = bytes(self._subnegotiation), None
            if command == _SE:
                return self._handle_subnegotiation(content)
        if command > _SB:
            self._handle_negotiation(command, piece[2])
            return None
        if command == _SB:
            if piece.endswith(_IAC_SE):
                return self._handle_subnegotiation(piece[2:-2].replace(_ESCAPED_IAC, b"\xff"))
            self._subnegotiation = bytearray()
            return None
        if command == _AYT and self._has_room(len(self.ayt)):
            self._add_bounded_reply(self.send(self.ayt))
        return _COMMANDS[command]

    def _handle_negotiation(self, command: int, option: int) -> None:
        if option in EACH_TIME and command == Command.DO:
            verb = NEGOTIATION_COMMAND[Side.LOCAL, option in self._negotiation.policy.local]
            self._add_reply(bytes([Command.IAC, verb, option]))
            return
        side, on = NEGOTIATION_MEANING[command]
        if option == _ECHO and side is Side.REMOTE:
            self._offers_echo = on
        outcome = self._negotiation.received(side, option, on=on)
        self._add_reply(self._apply(side, option, outcome))
        if outcome.changed_to:
            self._add_bounded_reply(self._begin(side, option))
            if side_entry(side, option).asks_for_other and self._has_room(_REQUEST_LENGTH):
                self._add_reply(self.request(side.other, option, on=True))

    def _handle_subnegotiation(self, content: bytes) -> SubnegotiationReceived | None:
        if not content or len(content) > MAX_SUBNEGOTIATION:
            return None
        option, payload = content[0], content[1:]
        for side, answer in ANSWERS.get(option, ()):
            if self.is_on(side, option):
                sent = answer(self, payload)
                self._add_bounded_reply(b"" if sent is None else self.subnegotiate(option, sent))
                break
        return SubnegotiationReceived(option, payload)

    def _begin(self, side: Side, option: int) -> bytes:
        """Return the subnegotiation to send when an option comes into effect, or b""."""
        begin = side_entry(side, option).begin
        return self.subnegotiate(option, begin(self)) if begin else b""

    # Replies

    def _take_reply(self) -> Reply:
        reply = Reply(bytes(self._reply))
        self._reply.clear()
        return reply

    def _add_reply(self, data: bytes) -> None:
        self._reply += data
        self._replied += len(data)

    def _add_bounded_reply(self, data: bytes) -> None:
        """Add a reply that may be longer than its request, unless it would exceed the bound."""
        if self._has_room(len(data)):
            self._add_reply(data)

    def _has_room(self, length: int) -> bool:
        """Whether a reply of `length` bytes keeps to the bound."""
        replied = self._replied + length
        return replied <= MAX_REPLY_EXCESS or replied <= self._scanner.taken
