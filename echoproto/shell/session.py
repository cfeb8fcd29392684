"""What happens in the shell, without a terminal: lines typed, bytes received, telnet, the prompt.

What goes to the peer waits in a queue, so that lines and telnet commands leave in the order in
which they were typed. What a person is to see goes to a `Display`.

What the peer has sent of a line that has no end yet (`login: `) is the prompt.

In a telnet connection, while the server echoes, what is typed may be a password, for which it
echoes nothing: it is hidden, and is shown only if the server sends it.
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
"""Seconds between two prints of what the peer sends: in a flood, the prompt stands that long."""

PROMPT_DELAY: Final = 0.05
"""Seconds after which the start of a line is taken for a prompt, if no more of it comes."""

MAX_PROMPT: Final = 60
"""Bytes of the start of a line that are shown as the prompt: the last ones."""


class Display(Protocol):
    """Where a person sees the session, and types."""

    def print(self, text: StyleAndTextTuples) -> None:
        """Print above the prompt."""

    def redraw(self) -> None:
        """Draw the prompt again: it has changed, or whether what is typed is hidden."""

    def forget_typed(self) -> None:
        """Throw away what was typed and not sent: it was hidden, and would be shown."""

    def quit(self) -> None:
        """End, as the user does."""


class Session:
    """The shell's side of one connection.

    `codec` is the telnet of the connection. `line_end` ends each line that is sent; None is CR LF
    or, where telnet wants that, CR NUL. `display` must be set before anything happens.
    """

    display: Display

    def __init__(self, codec: TelnetCodec, *, line_end: bytes | None = None) -> None:
        self.codec = codec
        self._line_end = line_end
        self._lines: Lines = TerminalLines() if codec.is_telnet else PlainLines()
        self._start = b""  # of the peer's line that has no end yet, as far as it is the prompt
        self._to_send: asyncio.Queue[bytes | Command | None] = asyncio.Queue()

    # What a person sees

    @property
    def prompt(self) -> StyleAndTextTuples:
        """What stands before the line that is typed."""
        return show(self._start[-MAX_PROMPT:]) if self._start else [("class:prompt", PROMPT)]

    @property
    def is_hidden(self) -> bool:
        """Whether what is typed to the peer is hidden."""
        return self.codec.is_on(Side.REMOTE, Option.ECHO)

    def say(self, *lines: str) -> None:
        """Print lines of the shell itself."""
        self.display.print([("", "".join(f"{line}\n" for line in lines))])

    # What the user does

    def type_line(self, text: str) -> None:
        """Send a line that was typed, and print it unless it is hidden."""
        data = text.encode("utf-8", "surrogateescape")
        if not self.is_hidden:
            prompt = self.prompt
            if self._start:
                # All that has come of it stands above now, with what was answered to it.
                prompt = show(self._lines.take())
                self._start = b""
            self.display.print([*prompt, *show(data, "class:sent"), ("", "\n")])
        self._to_send.put_nowait(data + (self._line_end or self.codec.line_end))

    def send_command(self, command: Command) -> None:
        """Send a telnet command, which makes the connection telnet if it may be that."""
        if self.codec.is_plain:
            self.say("This connection is not telnet.")
            return
        if not self.codec.is_telnet:
            self.say("The server has shown no telnet; from now on it is taken for telnet.")
            self._begin_telnet()
        self._to_send.put_nowait(command)

    def end(self) -> None:
        """The last line was typed."""
        self._to_send.put_nowait(None)

    # What the peer does

    def receive(self, data: bytes) -> None:
        """Print the lines that have ended with `data`."""
        if lines := self._lines.feed(data):
            self._start = b""
            self.display.print(show_lines(lines))

    def settle(self) -> None:
        """Nothing has come for a while: the start of a line is the prompt now."""
        self._start = self._lines.start
        self.display.redraw()

    def receive_eof(self) -> None:
        """The peer has sent its last byte: what has no line end is a line too."""
        if rest := self._lines.take():
            self._start = b""
            self.display.print(show_lines([rest]))

    def handle_event(self, event: NamedTuple) -> None:
        """Act on what telnet tells."""
        match event:
            case TelnetStarted():
                self._begin_telnet()
            case OptionChanged(Side.REMOTE, Option.ECHO, on):
                if not on:
                    self.display.forget_typed()
                self.display.redraw()

    def _begin_telnet(self) -> None:
        """From now on the server writes to a terminal."""
        start = self._lines.take()
        self._lines = TerminalLines()
        self._lines.feed(start)

    # On a connection

    async def receive_from(self, connection: ClientConnection) -> None:
        """Receive until the peer has sent its last byte. Raises NetworkError."""
        loop = asyncio.get_running_loop()
        settled: asyncio.TimerHandle | None = None
        while data := await connection.receive():
            if settled:
                settled.cancel()
            self.receive(data)
            settled = loop.call_later(PROMPT_DELAY, self.settle)
            await asyncio.sleep(PRINT_INTERVAL)
        self.receive_eof()

    async def send_to(self, connection: ClientConnection) -> None:
        """Send what was typed, in order, up to the `end` of it. Raises NetworkError."""
        while (item := await self._to_send.get()) is not None:
            if not isinstance(item, Command):
                await connection.send(item)
            elif not self.codec.is_plain:
                connection.send_command(item)
        await connection.send_eof()
