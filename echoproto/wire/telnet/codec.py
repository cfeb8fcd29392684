"""Telnet as a layer: what the commands of the peer mean, what is answered, what is sent.

The rules (RFC 854 and 855 unless another is named):

- Commands may stand anywhere, and may be cut anywhere: the events are the same. `scanner` cuts the
  stream, and has the rule of the mode "auto".
- An option is agreed in each direction by itself, by the Q method of RFC 1143 (`negotiation`). A
  Policy says what is agreed to; all else is refused. What each option is, is in `options`.
- Outside of BINARY (RFC 856), CR NUL is received as CR, and CR LF stays CR LF: either is the end
  of a line (RFC 1123, 3.3.1), as `framing` has it. A CR that no LF follows is sent as CR NUL.
- TIMING-MARK (RFC 860) is answered in its place among the data. So is AYT, with text.
- Replies never exceed what was received by more than MAX_REPLY_EXCESS bytes: a negotiation is
  answered with as many bytes as it has, and other answers are left out once they would be
  too many.

The verbs are those of every layer (`layer`). The bytes that `command`, `request`, `subnegotiate`
and `resize` return are sent as they are, below this layer.
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
from echoproto.wire.telnet.options import EACH_TIME, Option, side_entry
from echoproto.wire.telnet.scanner import Scanner, TelnetMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.wire.telnet.negotiation import Outcome, Policy

MAX_REPLY_EXCESS: Final = 512
"""Bytes that all answers may have together, beyond what was received."""

MAX_SUBNEGOTIATION: Final = 1024
"""Bytes of one subnegotiation; a longer one is dropped."""


Event: TypeAlias = (
    DataReceived
    | Reply
    | Ended
    | TelnetStarted
    | CommandReceived
    | OptionChanged
    | SubnegotiationReceived
)

_IAC: Final = b"\xff"
_SE: Final = b"\xff\xf0"


class TelnetCodec(Layer):
    """One end of a telnet connection.

    `mode` says when it is telnet: "always", "never", or "auto", once the peer shows it. `ayt` is
    the text that answers AYT. `terminal_type` is told where TTYPE is on for us; `window_size`,
    columns and rows, where NAWS is. Where TTYPE is on for the peer, it is asked for its own.
    """

    __slots__ = (
        "_after_cr",
        "_ended",
        "_events",
        "_negotiation",
        "_replied",
        "_reply",
        "_scanner",
        "_subnegotiation",
        "ayt",
        "terminal_type",
        "window_size",
    )

    def __init__(
        self,
        policy: Policy,
        *,
        mode: TelnetMode = "always",
        ayt: bytes = b"\r\n[yes]\r\n",
        terminal_type: str = "UNKNOWN",
        window_size: tuple[int, int] = (0, 0),
    ) -> None:
        self.ayt = ayt
        self.terminal_type = terminal_type
        self.window_size = window_size
        self._negotiation = Negotiation(policy)
        self._scanner = Scanner(mode)
        self._after_cr = False  # the last data ended with CR: a NUL next belongs to it
        self._subnegotiation: bytearray | None = None  # what has come of one that is not over
        self._events: deque[Event] = deque()
        self._reply = bytearray()  # to be given before _events
        self._replied = 0  # bytes that all replies had
        self._ended = False  # Ended is to be given, once all else is

    # What arrives

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take `data`, at once; give the events of all that has arrived."""
        self._scanner.feed(data)
        return self._find_events()

    def eof(self) -> Iterator[Event]:
        """Below has ended: give the events of what has arrived, then what is held, then `Ended`.

        Held is a last 255 of a peer that has not shown whether it is telnet: that is data.
        """
        self._ended = True
        return self._find_events()

    def _find_events(self) -> Iterator[Event]:
        events, scanner = self._events, self._scanner
        while True:
            while not events and (piece := scanner.next()) is not None:
                if isinstance(piece, bytes):
                    self._take_data(piece)
                elif isinstance(piece, TelnetStarted):
                    events.append(piece)
                else:
                    self._take_command(*piece)
            if self._reply:
                reply = Reply(bytes(self._reply))
                self._reply.clear()
                yield reply
            elif events:
                yield events.popleft()
            elif not self._ended:
                return
            elif rest := scanner.end():
                yield DataReceived(rest)
            else:
                self._ended = False
                yield Ended()

    @property
    def is_telnet(self) -> bool:
        """Commands are understood, and data is escaped."""
        return self._scanner.mode == "always"

    @property
    def is_plain(self) -> bool:
        """It is not telnet, and will not be: bytes pass as they are."""
        return self._scanner.mode == "never"

    @property
    def pending(self) -> bytes:
        """What has arrived and waits for more: of a command, or a 255 that may begin one."""
        return self._scanner.pending

    # What is sent

    def send(self, data: bytes) -> bytes:
        """`data` as it is to be sent: IAC doubled and, but for BINARY, a bare CR as CR NUL."""
        if not self.is_telnet:
            return data
        bare_cr = b"\r" in data and data.count(b"\r") > data.count(b"\r\n")
        if bare_cr and not self.is_on(Side.LOCAL, Option.BINARY):
            data = data.replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
        return data.replace(_IAC, _IAC + _IAC)

    @property
    def line_end(self) -> bytes:
        """What a typed Enter is, as data: to a peer that takes each key by itself, CR alone.

        Such a peer does both ECHO and SGA; `send` makes CR NUL of it then, as telnet does. To all
        others it is CR LF (RFC 1123, 3.3.1).
        """
        by_key = self.is_on(Side.REMOTE, Option.ECHO) and self.is_on(Side.REMOTE, Option.SGA)
        return b"\r" if by_key else b"\r\n"

    def command(self, command: int) -> bytes:
        """The bytes of a command. To send one makes this telnet.

        Raises ValueError, as all that speaks telnet does, if it is known not to be.
        """
        self._speak()
        return bytes([Command.IAC, command])

    def request(self, side: Side, option: int, *, on: bool) -> bytes:
        """Ask that `option` be on, or off, for `side`: what is to be sent, perhaps nothing yet.

        The peer's answer comes as OptionChanged; none comes where nothing changes. If we ask for
        an option, then we agree to it, whatever the policy.
        """
        self._speak()
        return self._follow(side, option, self._negotiation.asked(side, option, on=on))

    def subnegotiate(self, option: int, payload: bytes) -> bytes:
        """The bytes of a subnegotiation, escaped."""
        return self.command(Command.SB) + bytes([option]) + payload.replace(_IAC, _IAC * 2) + _SE

    def resize(self, columns: int, rows: int) -> bytes:
        """Our window has that size: what tells it, if it is news and NAWS is on (RFC 1073)."""
        if self.window_size == (columns, rows):
            return b""
        self.window_size = (columns, rows)
        return self._begin(Side.LOCAL, Option.NAWS) if self.is_on(Side.LOCAL, Option.NAWS) else b""

    def _speak(self) -> None:
        if self.is_plain:
            raise NotTelnetError("this connection is not telnet")
        self._scanner.mode = "always"

    # What is agreed

    def is_on(self, side: Side, option: int) -> bool:
        """Whether `option` is in force for `side`."""
        return self._negotiation.is_on(side, option)

    def options(self, side: Side) -> list[int]:
        """The options in force for `side`, in the order of their numbers."""
        return self._negotiation.options(side)

    def _follow(self, side: Side, option: int, outcome: Outcome) -> bytes:
        """Tell the application what has changed; return what the peer is to be told."""
        if outcome.changed_to is not None:
            self._events.append(OptionChanged(side, option, outcome.changed_to))
        if outcome.say is None:
            return b""
        return bytes([Command.IAC, NEGOTIATION_COMMAND[side, outcome.say], option])

    # Each piece of what has arrived

    def _take_data(self, data: bytes) -> None:
        if self._subnegotiation is not None:
            room = MAX_SUBNEGOTIATION + 1 - len(self._subnegotiation)
            self._subnegotiation += data[:room]
            return
        if self.is_on(Side.REMOTE, Option.BINARY):
            self._after_cr = False
        elif self.is_telnet:
            if self._after_cr and data.startswith(b"\0"):
                data = data[1:]
                self._after_cr = False
            if data:
                self._after_cr = data.endswith(b"\r")
            if b"\0" in data:
                data = data.replace(b"\r\0", b"\r")
        if data:
            self._negotiation.data_received()
            self._events.append(DataReceived(data))

    def _take_command(self, command: int, option: int | None = None) -> None:
        if self._subnegotiation is not None:
            # Anything but IAC SE is an error in it; it ends there too, so that none lasts for ever.
            self._end_subnegotiation(complete=command == Command.SE)
            if command == Command.SE:
                return
        if option is not None:
            self._take_negotiation(command, option)
        elif command == Command.SB:
            self._subnegotiation = bytearray()
        else:
            if command == Command.AYT:
                self._answer(self.send(self.ayt))
            self._events.append(CommandReceived(command))

    def _take_negotiation(self, command: int, option: int) -> None:
        if command == Command.DO and option in EACH_TIME:
            self._say(bytes([Command.IAC, Command.WILL, option]))
            return
        side, on = NEGOTIATION_MEANING[command]
        outcome = self._negotiation.received(side, option, on=on)
        self._say(self._follow(side, option, outcome))
        if outcome.changed_to:
            self._answer(self._begin(side, option))

    def _begin(self, side: Side, option: int) -> bytes:
        """What is sent when an option turns on."""
        begin = side_entry(side, option).begin
        return self.subnegotiate(option, begin(self)) if begin else b""

    def _end_subnegotiation(self, *, complete: bool) -> None:
        content = bytes(self._subnegotiation or b"")
        self._subnegotiation = None
        if not complete or not content or len(content) > MAX_SUBNEGOTIATION:
            return
        option, payload = content[0], content[1:]
        for side in Side:
            answer = side_entry(side, option).answer
            if answer and self.is_on(side, option):
                said = answer(self, payload)
                self._answer(b"" if said is None else self.subnegotiate(option, said))
        self._events.append(SubnegotiationReceived(option, payload))

    # Replies

    def _say(self, data: bytes) -> None:
        self._reply += data
        self._replied += len(data)

    def _answer(self, data: bytes) -> None:
        """Say what may be longer than what asked for it, unless too much was said already."""
        if self._replied + len(data) <= max(MAX_REPLY_EXCESS, self._scanner.taken):
            self._say(data)
