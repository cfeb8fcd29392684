"""Everything that the shell does, without a terminal: lines, telnet, and the prompt.

- Everything for the peer passes through one queue. Therefore lines and telnet commands leave in the
  order in which the user typed them.
- Everything for the user goes to a `Display`, which is a `Screen` or a test.
- If the peer has sent the start of a line without its line end (`login: `), that start is the
  prompt.
- On a telnet connection, the shell hides what the user types while the server echoes. The user may
  be typing a password, which such a server does not echo. The text is shown only if the server
  sends it. On every connection, the shell hides the answer to a prompt that asks for a secret.

`app` connects a `Session` to a connection and a screen. `lines` splits what the peer sends.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from echoproto.shell.lines import PlainLines, TerminalLines
from echoproto.shell.view import show, show_lines
from echoproto.wire.telnet.commands import Command, OptionChanged, TelnetStarted
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from echoproto.client.connection import ClientConnection
    from echoproto.shell.lines import Lines
    from echoproto.wire.telnet.codec import TelnetCodec

PROMPT: Final = "> "

PRINT_INTERVAL: Final = 0.02
"""Seconds between two prints of received data. In a flood, the prompt is visible between them."""

PROMPT_DELAY: Final = 0.05
"""Seconds without data after which the start of a line is treated as a prompt."""

MAX_PROMPT: Final = 60
"""Number of bytes of the start of a line, counted from its last, that the prompt shows."""

MAX_SEND: Final = 64 * 1024
"""Number of bytes above which lines that wait to be sent are not sent together."""

_ASKS_FOR_SECRET: Final = re.compile(
    r"""
    \b (?: pass(?:word|wd|phrase|code) | PIN(?:[ ]code)? | (?:security|verification)[ ]code | secret
        | (?:pass|kenn)wort | mot[ ]de[ ]passe | contrase\u00f1a | senha | wachtwoord ) \b
    (?: [^:?>\#$%]* [:?] | [ ]* >? ) \s* $
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A prompt that asks for a secret: `Password: `, `Enter passphrase for key '/k': `, `PIN> `."""

_ASKS_YES_OR_NO: Final = re.compile(r"\b y(?:es)? / no? \b", re.VERBOSE | re.IGNORECASE)


class Display(Protocol):
    """The place where the user sees the session and types."""

    def print(self, text: StyleAndTextTuples) -> None:
        """Print `text` above the prompt."""

    def redraw(self) -> None:
        """Draw the prompt again, because `prompt` or `is_hidden` of the session has changed."""

    def quit(self) -> None:
        """End the session as Ctrl-D does."""


class Session:
    """The shell's side of one connection.

    `codec` is the telnet codec of the connection. `line_end` is the line end for each line that is
    sent; None selects CR LF, or CR NUL where telnet requires it. Set `display` before calling any
    method.
    """

    display: Display

    def __init__(self, codec: TelnetCodec, *, line_end: bytes | None = None) -> None:
        self.codec = codec
        self._line_end = line_end
        self._lines: Lines = TerminalLines() if codec.is_telnet else PlainLines()
        self._start = b""  # the start of the peer's line, if it is the prompt
        self._to_send: asyncio.Queue[bytes | Command | None] = asyncio.Queue()
        self.sent_at = self.received_at = 0.0
        """When data was last sent and received, in seconds of the event loop's clock."""

    # What the user sees

    @property
    def prompt(self) -> StyleAndTextTuples:
        """Text in front of the line that the user types."""
        return show(self._start[-MAX_PROMPT:]) if self._start else [("class:prompt", PROMPT)]

    @property
    def is_hidden(self) -> bool:
        """Whether lines to the peer are hidden while the user types them."""
        return self._peer_echoes or self._asks_for_secret

    @property
    def _peer_echoes(self) -> bool:
        return self.codec.is_on(Side.REMOTE, Option.ECHO)

    @property
    def _asks_for_secret(self) -> bool:
        prompt = self._start[-MAX_PROMPT:].decode("utf-8", "replace")
        return bool(_ASKS_FOR_SECRET.search(prompt)) and not _ASKS_YES_OR_NO.search(prompt)

    def say(self, *lines: str) -> None:
        """Print messages from the shell, each on a separate line."""
        self.display.print([("", "".join(f"{line}\n" for line in lines))])

    # What the user does

    def type_lines(self, lines: Sequence[str]) -> list[str]:
        """Send the lines that the user typed or pasted. Return those that were not hidden.

        Prints them, except for what is hidden.
        """
        shown: StyleAndTextTuples = []
        visible = []
        for line in lines:
            data = line.encode("utf-8", "surrogateescape")
            is_hidden = self.is_hidden
            if not is_hidden:
                visible.append(line)
            if not self._peer_echoes:
                shown += self._take_prompt()
                shown += [*([] if is_hidden else show(data, "class:sent")), ("", "\n")]
            self._to_send.put_nowait(data + (self._line_end or self.codec.line_end))
        if shown:
            self.display.print(shown)
        return visible

    def _take_prompt(self) -> StyleAndTextTuples:
        """Return the prompt, with the whole start of the peer's line, which ends here."""
        if not self._start:
            return self.prompt
        self._start = b""
        return show(self._lines.take())

    def stop_sending(self) -> None:
        """Discard what is still to be sent, and say how much that was."""
        unsent = 0
        while not self._to_send.empty():
            self._to_send.get_nowait()
            unsent += 1
        if unsent:
            lines = "line was" if unsent == 1 else f"{unsent:,} lines were"
            self.say(f"Stopped: the last {lines} not sent.")

    def send_command(self, command: Command) -> None:
        """Send a telnet command. The connection becomes telnet, unless it can never be telnet."""
        if self.codec.is_plain:
            self.say("This connection is not telnet.")
            return
        if not self.codec.is_telnet:
            self.say("The server has not negotiated telnet; treating it as telnet from now on.")
            self._begin_telnet()
        self._to_send.put_nowait(command)

    def end(self) -> None:
        """Half-close the connection after everything in the queue is sent."""
        self._to_send.put_nowait(None)

    # What the peer does

    def receive(self, data: bytes) -> None:
        """Handle received `data`: print the lines that it completes."""
        if lines := self._lines.feed(data):
            self._start = b""
            self.display.print(show_lines(lines))

    def settle(self) -> None:
        """Make the start of the peer's line the prompt, because no data has followed it."""
        self._start = self._lines.start
        self.display.redraw()

    def receive_eof(self) -> None:
        """Handle the end of the peer's data: print the last line if it has no line end."""
        if rest := self._lines.take():
            self._start = b""
            self.display.print(show_lines([rest]))

    def handle_event(self, event: NamedTuple) -> None:
        """Handle an event of the telnet codec."""
        match event:
            case TelnetStarted():
                self._begin_telnet()
            case OptionChanged(Side.REMOTE, Option.ECHO, _):
                self.display.redraw()

    def _begin_telnet(self) -> None:
        """Read what the server sends as a terminal does, from now on."""
        start = self._lines.take()
        self._lines = TerminalLines()
        self._lines.feed(start)

    # On a connection

    async def receive_from(self, connection: ClientConnection) -> None:
        """Receive until the peer half-closes or closes. Raises NetworkError if it is lost."""
        loop = asyncio.get_running_loop()
        settled: asyncio.TimerHandle | None = None
        try:
            while data := await connection.receive():
                self.received_at = loop.time()
                if settled:
                    settled.cancel()
                self.receive(data)
                settled = loop.call_later(PROMPT_DELAY, self.settle)
                await asyncio.sleep(PRINT_INTERVAL)
        finally:
            self.receive_eof()

    async def send_to(self, connection: ClientConnection) -> None:
        """Send everything in the queue until `end`, then half-close. Raises NetworkError."""
        loop = asyncio.get_running_loop()
        item: bytes | Command | None = b""
        while item is not None:
            item = await self._to_send.get()
            lines = bytearray()
            while isinstance(item, bytes):
                lines += item
                if self._to_send.empty() or len(lines) > MAX_SEND:
                    break
                item = self._to_send.get_nowait()
            if lines:
                await connection.send(bytes(lines))
            if isinstance(item, Command) and not self.codec.is_plain:
                connection.send_command(item)
            if lines or item is not None:
                self.sent_at = loop.time()
        await connection.send_eof()
