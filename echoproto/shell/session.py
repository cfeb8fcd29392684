"""Everything that the shell does, without a terminal: lines, telnet, and the prompt.

- Everything for the peer passes through one queue. Therefore lines and telnet commands leave in the
  order in which the user typed them.
- Everything for the user goes to a `Display`, which is a `Screen` or a test.
- If the peer has sent the start of a line without its line end (`login: `), that start is the
  prompt.
- On a telnet connection, the shell hides what the user types while the server echoes. The user may
  be typing a password, which such a server does not echo. The text is shown only if the server
  sends it.

`app` connects a `Session` to a connection and a screen. `lines` splits what the peer sends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from echoproto.shell.lines import PlainLines, TerminalLines
from echoproto.shell.view import show, show_lines
from echoproto.wire.telnet.commands import Command, OptionChanged, TelnetStarted
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import Option

if TYPE_CHECKING:
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


class Display(Protocol):
    """The place where the user sees the session and types."""

    def print(self, text: StyleAndTextTuples) -> None:
        """Print `text` above the prompt."""

    def redraw(self) -> None:
        """Draw the prompt again, because `prompt` or `is_hidden` of the session has changed."""

    def forget_typed(self) -> None:
        """Discard what was typed and not sent: it was hidden, and would become visible."""

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

    # What the user sees

    @property
    def prompt(self) -> StyleAndTextTuples:
        """Text in front of the line that the user types."""
        return show(self._start[-MAX_PROMPT:]) if self._start else [("class:prompt", PROMPT)]

    @property
    def is_hidden(self) -> bool:
        """Whether lines to the peer are hidden while the user types them."""
        return self.codec.is_on(Side.REMOTE, Option.ECHO)

    def say(self, *lines: str) -> None:
        """Print messages from the shell, each on a separate line."""
        self.display.print([("", "".join(f"{line}\n" for line in lines))])

    # What the user does

    def type_line(self, text: str) -> None:
        """Send the line `text` that the user typed, and print it unless it is hidden."""
        data = text.encode("utf-8", "surrogateescape")
        if not self.is_hidden:
            prompt = self.prompt
            if self._start:
                # Print the whole start of the peer's line, followed by the user's answer to it.
                prompt = show(self._lines.take())
                self._start = b""
            self.display.print([*prompt, *show(data, "class:sent"), ("", "\n")])
        self._to_send.put_nowait(data + (self._line_end or self.codec.line_end))

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
            case OptionChanged(Side.REMOTE, Option.ECHO, on):
                if not on:
                    self.display.forget_typed()
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
                if settled:
                    settled.cancel()
                self.receive(data)
                settled = loop.call_later(PROMPT_DELAY, self.settle)
                await asyncio.sleep(PRINT_INTERVAL)
        finally:
            self.receive_eof()

    async def send_to(self, connection: ClientConnection) -> None:
        """Send everything in the queue until `end`, then half-close. Raises NetworkError."""
        while (item := await self._to_send.get()) is not None:
            if not isinstance(item, Command):
                await connection.send(item)
            elif not self.codec.is_plain:
                connection.send_command(item)
        await connection.send_eof()
