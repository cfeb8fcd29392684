"""Telnet, without I/O and without a clock: bytes in, events and reply bytes out.

The rules (RFC 854 and 855 unless another is named):

- IAC (255) begins a command; IAC IAC is one byte 255 of data. Commands may stand anywhere, and may
  be cut anywhere: the events are the same.
- An option is agreed in each direction by itself, by the Q method of RFC 1143 (`negotiation`). A
  Policy says what is agreed to; all else is refused.
- Outside of BINARY (RFC 856), CR NUL is received as CR, and CR LF stays CR LF: either is the end
  of a line (RFC 1123, 3.3.1), as `framing` has it. A CR that no LF follows is sent as CR NUL.
- TIMING-MARK (RFC 860) is answered in its place among the data. So is AYT, with text.
- Replies never exceed what was received by more than FREE_REPLY bytes: a negotiation is answered
  with as many bytes as it has, and other answers are left out where they would be too many.
- In mode "auto" bytes pass untouched until the peer shows that it is telnet, by WILL, DO, AYT, IP,
  AO or BRK. A 255 that begins no command shows that it is not: then they pass untouched for good.

A user of the codec does this:

1. `feed` it what has arrived, and take all of `events()`.
2. Act on each event in its order; a Reply is to be sent as it is.
3. Send data as `encode(data)`; and as they are, the bytes that `command`, `request`,
   `subnegotiate` and `resize` return.
4. At the end of the input, take `end()` for data.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from echoproto.wire.negotiation import Negotiation, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.wire.negotiation import Policy

TelnetMode: TypeAlias = Literal["auto", "always", "never"]

FREE_REPLY: Final = 512
"""Bytes that all answers may have together, beyond what was received."""

LONGEST_SUBNEGOTIATION: Final = 1024
"""Bytes of one subnegotiation; a longer one is dropped."""

LONGEST_TERMINAL_TYPE: Final = 40
"""Characters, by RFC 1091."""


class Command(IntEnum):
    """The byte after IAC."""

    EOF = 236  # RFC 1184
    SUSP = 237
    ABORT = 238
    EOR = 239  # RFC 885
    SE = 240
    NOP = 241
    DM = 242
    BRK = 243
    IP = 244
    AO = 245
    AYT = 246
    EC = 247
    EL = 248
    GA = 249
    SB = 250
    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254
    IAC = 255


class Option(IntEnum):
    """The options that have a meaning here; any other byte may be named in a negotiation too."""

    BINARY = 0  # RFC 856
    ECHO = 1  # RFC 857
    SGA = 3  # RFC 858
    TIMING_MARK = 6  # RFC 860
    TTYPE = 24  # RFC 1091
    NAWS = 31  # RFC 1073


class DataReceived(NamedTuple):
    """Data, freed of telnet; never empty."""

    data: bytes


class CommandReceived(NamedTuple):
    """A command that is none of negotiation; perhaps one that no RFC has."""

    command: int


class OptionChanged(NamedTuple):
    """An option is in force on that side from now on, or no more."""

    side: Side
    option: int
    on: bool


class SubnegotiationReceived(NamedTuple):
    """What stands between IAC SB OPTION and IAC SE. Whether the option is on is not looked at."""

    option: int
    payload: bytes


class Reply(NamedTuple):
    """To be sent as it is, before whatever the events after it make the application send."""

    data: bytes


@dataclass(frozen=True)
class TelnetBegins:
    """The peer has shown that it is telnet. What `encode` gives is escaped from now on."""


Event: TypeAlias = (
    DataReceived | CommandReceived | OptionChanged | SubnegotiationReceived | Reply | TelnetBegins
)

_SAY: Final[dict[tuple[Side, bool], int]] = {
    (Side.US, True): Command.WILL,
    (Side.US, False): Command.WONT,
    (Side.HIM, True): Command.DO,
    (Side.HIM, False): Command.DONT,
}
_MEANS: Final[dict[int, tuple[Side, bool]]] = {  # what a peer says: about which side, and which way
    Command.WILL: (Side.HIM, True),
    Command.WONT: (Side.HIM, False),
    Command.DO: (Side.US, True),
    Command.DONT: (Side.US, False),
}
_NEGOTIATION: Final = tuple(bytes([code]) for code in _MEANS)

_IAC: Final = b"\xff"
_SE: Final = b"\xff\xf0"
_TTYPE_IS, _TTYPE_SEND = b"\0", b"\1"
_TIMING_MARK: Final = bytes([Command.IAC, Command.WILL, Option.TIMING_MARK])

# Data, with each byte 255 doubled, up to the first command or to a last IAC.
_DATA: Final = re.compile(rb"(?:[^\xff]+|\xff\xff)*")

_SHOWS_TELNET: Final = frozenset(
    [Command.WILL, Command.DO, Command.AYT, Command.IP, Command.AO, Command.BRK]
)
# Bytes up to the first 255 that shows whether this is telnet, or to a last one.
_SHOWS_NOTHING: Final = re.compile(
    b"(?:[^\xff]+|\xff[%b])*" % bytes(code for code in Command if code not in _SHOWS_TELNET)
)


class TelnetCodec:
    """One end of a telnet connection.

    `mode` says when it is telnet: "always", "never", or "auto", once the peer shows it. `ayt` is
    the text that answers AYT. `terminal_type` is told where TTYPE is on for us; `window_size`,
    columns and rows, where NAWS is. Where TTYPE is on for the peer, it is asked for its own.
    """

    __slots__ = (
        "_after_cr",
        "_base",
        "_data",
        "_events",
        "_mode",
        "_negotiation",
        "_pos",
        "_replied",
        "_reply",
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
        self._mode: TelnetMode = mode
        self._data = b""  # what has come; [_pos:] is not looked at yet
        self._pos = 0
        self._base = 0  # bytes that came before _data
        self._after_cr = False  # the last data ended with CR: a NUL next belongs to it
        self._subnegotiation: bytearray | None = None  # what has come of one that is not over
        self._events: deque[Event] = deque()
        self._reply = bytearray()  # to be given before _events
        self._replied = 0  # bytes that all replies had

    # What arrives

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        self._base += self._pos
        self._data = self._data[self._pos :] + data
        self._pos = 0

    def events(self) -> Iterator[Event]:
        """The events of what has arrived, in order.

        Each is found when it is asked for: what the application changes after one event holds for
        the next.
        """
        while True:
            while not self._events and self._step():
                pass
            if self._reply:
                reply = Reply(bytes(self._reply))
                self._reply.clear()
                yield reply
            elif self._events:
                yield self._events.popleft()
            else:
                return

    def end(self) -> bytes:
        """The peer has sent its last byte: what is still held of its data.

        That is a last 255 of a peer that has not shown whether it is telnet.
        """
        rest = b"" if self.is_telnet else self._data[self._pos :]
        self._pos = len(self._data)
        return rest

    @property
    def is_telnet(self) -> bool:
        """Commands are understood, and data is escaped."""
        return self._mode == "always"

    @property
    def is_plain(self) -> bool:
        """It is not telnet, and will not be: bytes pass as they are."""
        return self._mode == "never"

    @property
    def held(self) -> bytes:
        """What has arrived and waits for more: of a command, or a 255 that may begin one."""
        return self._data[self._pos :]

    # What is sent

    def encode(self, data: bytes) -> bytes:
        """`data` as it is to be sent: IAC doubled and, but for BINARY, a bare CR as CR NUL."""
        if not self.is_telnet:
            return data
        bare_cr = b"\r" in data and data.count(b"\r") > data.count(b"\r\n")
        if bare_cr and not self.is_on(Side.US, Option.BINARY):
            data = data.replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
        return data.replace(_IAC, _IAC + _IAC)

    @property
    def line_end(self) -> bytes:
        """What a typed Enter is, as data: to a peer that takes each key by itself, CR alone.

        Such a peer does both ECHO and SGA; `encode` sends CR NUL then, as telnet does. To all
        others it is CR LF (RFC 1123, 3.3.1).
        """
        by_key = self.is_on(Side.HIM, Option.ECHO) and self.is_on(Side.HIM, Option.SGA)
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
        was_on = self.is_on(side, option)
        said = self._negotiation.asked(side, option, on=on)
        self._note_change(side, option, was_on=was_on)
        return b"" if said is None else self.command(_SAY[side, said]) + bytes([option])

    def subnegotiate(self, option: int, payload: bytes) -> bytes:
        """The bytes of a subnegotiation, escaped."""
        return self.command(Command.SB) + bytes([option]) + payload.replace(_IAC, _IAC * 2) + _SE

    def _speak(self) -> None:
        if self.is_plain:
            raise ValueError("this connection is not telnet")
        self._mode = "always"

    def resize(self, columns: int, rows: int) -> bytes:
        """Our window has that size: what tells it, if it is news and NAWS is on (RFC 1073)."""
        if self.window_size == (columns, rows):
            return b""
        self.window_size = (columns, rows)
        return self._naws() if self.is_on(Side.US, Option.NAWS) else b""

    # What is agreed

    def is_on(self, side: Side, option: int) -> bool:
        """Whether `option` is in force for `side`."""
        return self._negotiation.is_on(side, option)

    def options(self, side: Side) -> list[int]:
        """The options in force for `side`, in the order of their numbers."""
        return self._negotiation.options(side)

    def _note_change(self, side: Side, option: int, *, was_on: bool) -> None:
        is_on = self.is_on(side, option)
        if is_on != was_on:
            self._events.append(OptionChanged(side, option, is_on))

    # One step: the next piece of what has arrived

    def _step(self) -> bool:
        """Take the next piece of data, or the next command; False if neither is whole."""
        if self._pos == len(self._data):
            return False
        if not self.is_telnet:
            return self._pass_untouched()
        end = self._end_of_data()
        if end > self._pos:
            data = self._data[self._pos : end]
            self._pos = end
            self._take_data(data.replace(_IAC + _IAC, _IAC) if _IAC in data else data)
            return True
        length = 3 if self._data[end + 1 : end + 2] in _NEGOTIATION else 2
        command = self._data[end : end + length]
        if len(command) < length:
            return False
        self._pos += length
        self._take_command(*command[1:])
        return True

    def _pass_untouched(self) -> bool:
        """Take what is plain; turn to telnet, or to plain for good, where the peer shows it."""
        data, end = self._data, len(self._data)
        if self._mode == "auto" and data.find(_IAC, self._pos) >= 0:
            undecided = _end_of_run(_SHOWS_NOTHING, data, self._pos)
            shown = data[undecided + 1 : undecided + 2]
            if shown and shown[0] not in _SHOWS_TELNET:
                self._mode = "never"
            elif undecided == self._pos and shown:
                self._mode = "always"
                self._events.append(TelnetBegins())
                return True
            elif undecided < end:
                end = undecided
        plain = data[self._pos : end]
        self._pos = end
        if plain:
            self._events.append(DataReceived(plain))
        return bool(plain)

    def _end_of_data(self) -> int:
        """Where the data that begins at `_pos` ends, and a command begins."""
        if self._data.find(_IAC, self._pos) < 0:
            return len(self._data)
        return _end_of_run(_DATA, self._data, self._pos)

    def _take_data(self, data: bytes) -> None:
        if self._subnegotiation is not None:
            room = LONGEST_SUBNEGOTIATION + 1 - len(self._subnegotiation)
            self._subnegotiation += data[:room]
            return
        if self.is_on(Side.HIM, Option.BINARY):
            self._after_cr = False
        else:
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

    def _take_command(self, code: int, option: int | None = None) -> None:
        if self._subnegotiation is not None:
            # Anything but IAC SE is an error in it; it ends there too, so that none lasts for ever.
            self._end_subnegotiation(complete=code == Command.SE)
            if code == Command.SE:
                return
        if option is not None:
            self._take_negotiation(code, option)
        elif code == Command.SB:
            self._subnegotiation = bytearray()
        else:
            if code == Command.AYT:
                self._answer(self.encode(self.ayt))
            self._events.append(CommandReceived(code))

    def _take_negotiation(self, code: int, option: int) -> None:
        if code == Command.DO and option == Option.TIMING_MARK:
            self._say(_TIMING_MARK)  # each time: it is no state
            return
        side, on = _MEANS[code]
        was_on = self.is_on(side, option)
        said = self._negotiation.received(side, option, on=on)
        self._note_change(side, option, was_on=was_on)
        if said is not None:
            self._say(bytes([Command.IAC, _SAY[side, said], option]))
        if self.is_on(side, option) and not was_on:
            if (side, option) == (Side.HIM, Option.TTYPE):
                self._answer(self.subnegotiate(Option.TTYPE, _TTYPE_SEND))
            elif (side, option) == (Side.US, Option.NAWS):
                self._answer(self._naws())

    def _end_subnegotiation(self, *, complete: bool) -> None:
        content = bytes(self._subnegotiation or b"")
        self._subnegotiation = None
        if not complete or not content or len(content) > LONGEST_SUBNEGOTIATION:
            return
        if content == bytes([Option.TTYPE]) + _TTYPE_SEND and self.is_on(Side.US, Option.TTYPE):
            name = self.terminal_type.encode("ascii", "replace")[:LONGEST_TERMINAL_TYPE]
            self._answer(self.subnegotiate(Option.TTYPE, _TTYPE_IS + name))
        self._events.append(SubnegotiationReceived(content[0], content[1:]))

    # Replies

    def _say(self, data: bytes) -> None:
        self._reply += data
        self._replied += len(data)

    def _answer(self, data: bytes) -> None:
        """Say what may be longer than what asked for it, unless too much was said already."""
        if self._replied + len(data) <= max(FREE_REPLY, self._base + self._pos):
            self._say(data)

    def _naws(self) -> bytes:
        size = b"".join(min(max(side, 0), 0xFFFF).to_bytes(2) for side in self.window_size)
        return self.subnegotiate(Option.NAWS, size)


def _end_of_run(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    match = pattern.match(data, start)
    return match.end() if match else start


def window_size(payload: bytes) -> tuple[int, int] | None:
    """Columns and rows, of a subnegotiation of NAWS (RFC 1073); None if it is not well formed.

    0 says that the peer leaves that to us.
    """
    if len(payload) != 4:  # noqa: PLR2004 - two bytes each
        return None
    return int.from_bytes(payload[:2]), int.from_bytes(payload[2:])


def terminal_type(payload: bytes) -> str | None:
    """The name that a subnegotiation of TTYPE tells (RFC 1091); None if it is not well formed."""
    name = payload[1:]
    if not payload.startswith(_TTYPE_IS) or not name or len(name) > LONGEST_TERMINAL_TYPE:
        return None
    return name.decode("ascii") if all(0x20 < byte < 0x7F for byte in name) else None  # noqa: PLR2004
