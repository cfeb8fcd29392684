"""The shell: one prompt that stays at the bottom, and above it what was sent and what came.

Everything above the prompt is printed here, in the order in which it happened: a line when it is
sent, the peer's lines when they come. The prompt is taken away, the text printed, the prompt drawn
again below; what is being typed is never touched. The peer is read only as fast as the terminal
shows what it sends.

What the peer has sent of a line that has no end yet (`login: `) is the prompt.

In a telnet connection, while the server echoes, what is typed may be a password, for which it
echoes nothing: it is hidden, kept out of the history, and printed here only if the server sends it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory, ConditionalAutoSuggest
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text

from echoproto.client.connection import NetworkError, connect
from echoproto.client.telnet import FOR_PERSON, TelnetConnection
from echoproto.shell import commands
from echoproto.shell.history import open_history
from echoproto.shell.lines import PlainLines, TerminalLines
from echoproto.shell.view import STYLE, show, show_lines
from echoproto.wire.negotiation import Side
from echoproto.wire.telnet import (
    Command,
    Option,
    OptionChanged,
    TelnetBegins,
    TelnetCodec,
)

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyPressEvent
    from prompt_toolkit.output import Output

    from echoproto.client.connection import Connection
    from echoproto.client.target import Target
    from echoproto.shell.lines import Lines
    from echoproto.wire.telnet import Event, TelnetMode

PROMPT: Final = "> "

FRAME: Final = 0.02
"""Seconds between two prints of what the peer sends: in a flood, the prompt stands that long."""

LINGER: Final = 1.0
"""Seconds that the peer has to send what it still has, after the last line is sent."""

SETTLED: Final = 0.05
"""Seconds after which the start of a line is taken for a prompt, if no more of it comes."""

LONGEST_PROMPT: Final = 60
"""Bytes of the start of a line that are shown as the prompt: the last ones."""


TERMINAL_TYPE: Final = "dumb"
"""What a telnet server is told: it had better not draw."""


async def run_shell(
    target: Target,
    *,
    wait: float | None,
    insecure: bool,
    eol: bytes | None,
    telnet: TelnetMode,
    history: str,
) -> None:
    """Connect to `target` and run the shell until the user or the peer ends it.

    `wait` is the most seconds that connecting may take; with `insecure` any certificate will do.
    `eol` and `telnet` are those of `Shell`. The history is the one kept under the name `history`.
    Raises NetworkError.
    """
    async with connect(target, wait, insecure=insecure) as connection:
        kept, problem = open_history(history)
        shell = Shell(connection, eol=eol, telnet=telnet, history=kept)
        notice = f"Connected to {target.name}. Ctrl-D ends, Ctrl-] is for commands."
        _say("\n".join(filter(None, [notice, problem])))
        if await shell.run():
            _say(f"{target.name} closed the connection.")


class Shell:
    """The shell on an open connection.

    `eol` ends each line that is sent; None is CR LF or, where telnet wants that, CR NUL. `telnet`
    says whether the connection is telnet; "auto" is once the server shows it. `input` and `output`
    are the terminal unless given.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        eol: bytes | None = None,
        telnet: TelnetMode = "auto",
        history: History,
        input: Input | None = None,  # noqa: A002
        output: Output | None = None,
    ) -> None:
        self._eol = eol
        self._output = output or _terminal()
        # No answer to AYT: it would be typed to the server.
        self._codec = TelnetCodec(FOR_PERSON, mode=telnet, ayt=b"", terminal_type=TERMINAL_TYPE)
        self._codec.window_size = self._size()
        self._connection = TelnetConnection(connection, self._codec, self._told)
        self._to_send: asyncio.Queue[bytes | Command | None] = asyncio.Queue()
        self._lines: Lines = TerminalLines() if self._codec.is_telnet else PlainLines()
        self._aside: Document | None = None  # what was being typed when a command was to be
        self._start = b""  # of the peer's line that has no end yet, as far as it is the prompt
        self._session: PromptSession[None] = PromptSession(
            self._prompt,
            history=history,
            auto_suggest=ConditionalAutoSuggest(
                AutoSuggestFromHistory(), Condition(lambda: not (self._hidden or self._commanding))
            ),
            is_password=Condition(lambda: self._hidden and not self._commanding),
            key_bindings=self._key_bindings(),
            enable_suspend=True,
            style=STYLE,
            include_default_pygments_style=False,
            input=input,
            output=self._output,
        )
        self._session.default_buffer.accept_handler = self._accept
        self._session.app.after_render += lambda _: self._connection.resize(*self._size())

    async def run(self) -> bool:
        """Run until the user ends it, or the peer: then True. Raises NetworkError."""
        tasks: list[asyncio.Task[None]] = []

        def start() -> None:
            tasks.append(asyncio.create_task(self._receive()))
            tasks.append(asyncio.create_task(self._send()))
            tasks[0].add_done_callback(lambda _: self._end())

        async with self._connection:
            try:
                await self._session.prompt_async(pre_run=start)
            except EOFError:
                self._to_send.put_nowait(None)
                with suppress(TimeoutError, NetworkError):
                    await asyncio.wait_for(tasks[0], LINGER)
                return False
            else:
                await tasks[0]
                return True
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        """Print what the peer sends, until it has sent its last byte."""
        loop = asyncio.get_running_loop()
        settled: asyncio.TimerHandle | None = None
        while data := await self._connection.receive():
            if settled:
                settled.cancel()
            if lines := self._lines.feed(data):
                self._start = b""
                self._print(show_lines(lines))
            settled = loop.call_later(SETTLED, self._show_start)
            await asyncio.sleep(FRAME)
        if rest := self._lines.take():
            self._start = b""
            self._print(show_lines([rest]))

    def _told(self, event: Event) -> None:
        """Act on what telnet tells."""
        match event:
            case TelnetBegins():
                self._begin_telnet()
            case OptionChanged(Side.HIM, Option.ECHO, on):
                if not on:  # what was typed so far was to be hidden
                    if self._commanding:
                        self._aside = Document()
                    else:
                        self._session.default_buffer.reset()
                    self._session.app.clipboard = InMemoryClipboard()
                self._session.app.invalidate()

    def _begin_telnet(self) -> None:
        """From now on the server writes to a terminal."""
        start = self._lines.take()
        self._lines = TerminalLines()
        self._lines.feed(start)

    async def _send(self) -> None:
        """Send what was typed, in order; None is the end of it."""
        while (item := await self._to_send.get()) is not None:
            if not isinstance(item, Command):
                await self._connection.send(item)
            elif not self._codec.is_plain:
                self._connection.send_command(item)
        await self._connection.send_eof()

    def _end(self) -> None:
        """The peer is gone: keep what is being typed, and end the prompt."""
        app, typed = self._session.app, self._session.default_buffer
        if app.is_running and not app.is_done:
            if not (self._hidden or self._commanding):
                typed.append_to_history()
            app.erase_when_done = not typed.text
            app.exit()

    def _accept(self, buffer: Buffer) -> bool:
        """Send the line that was typed."""
        data = buffer.text.encode("utf-8", "surrogateescape")
        if self._hidden:
            buffer.reset()  # now, so that it does not go into the history
        else:
            prompt = self._prompt()
            if self._start:
                # All that has come of it stands above now, with what was answered to it.
                prompt = show(self._lines.take())
                self._start = b""
            self._print([*prompt, *show(data, "class:sent"), ("", "\n")])
        self._to_send.put_nowait(data + (self._eol or self._codec.line_end))
        return False  # the line is cleared

    @property
    def _hidden(self) -> bool:
        """Whether what is typed to the server is hidden."""
        return self._codec.is_on(Side.HIM, Option.ECHO)

    @property
    def _commanding(self) -> bool:
        """Whether what is typed is a command to the shell."""
        return self._aside is not None

    def _command(self, text: str) -> None:
        """Do what a command says."""
        prompt = ("class:prompt", commands.PROMPT)
        self._print([prompt, *show(text.encode("utf-8", "surrogateescape")), ("", "\n")])
        match text.split():
            case ["send", name] if name in commands.SENDABLE:
                self._send_command(commands.SENDABLE[name])
            case ["options"]:
                self._print_text(*commands.describe_options(self._codec))
            case ["quit"]:
                self._session.app.exit(exception=EOFError)
            case ["help" | "?"]:
                self._print_text(commands.HELP)
            case _:
                self._print_text(f"There is no command {text!r}.", commands.HELP)

    def _send_command(self, command: Command) -> None:
        if self._codec.is_plain:
            self._print_text("This connection is not telnet.")
            return
        if not self._codec.is_telnet:
            self._print_text("The server has shown no telnet; from now on it is taken for telnet.")
            self._begin_telnet()
        self._to_send.put_nowait(command)

    def _print_text(self, *lines: str) -> None:
        self._print([("", "".join(f"{line}\n" for line in lines))])

    def _size(self) -> tuple[int, int]:
        size = self._output.get_size()
        return size.columns, size.rows

    def _show_start(self) -> None:
        self._start = self._lines.start
        self._session.app.invalidate()

    def _prompt(self) -> StyleAndTextTuples:
        if self._commanding:
            return [("class:prompt", commands.PROMPT)]
        if self._start:
            return show(self._start[-LONGEST_PROMPT:])
        return [("class:prompt", PROMPT)]

    def _print(self, text: StyleAndTextTuples) -> None:
        """Print above the prompt."""
        app = self._session.app
        if app.is_running:
            app.renderer.erase()
        print_formatted_text(self._output, text, STYLE)
        app.invalidate()

    def _key_bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        at_prompt = has_focus(DEFAULT_BUFFER)
        commanding = Condition(lambda: self._commanding)
        hidden = Condition(lambda: self._hidden)

        @bindings.add("c-r", filter=at_prompt & hidden)
        @bindings.add("c-s", filter=at_prompt & hidden)
        def _search_nothing(_: KeyPressEvent) -> None:
            """What is typed to search with would be shown."""

        @bindings.add("c-c", filter=at_prompt & ~commanding)
        def _clear(event: KeyPressEvent) -> None:
            event.current_buffer.reset()

        @bindings.add("c-]", filter=at_prompt & ~commanding, eager=True)
        def _begin_command(event: KeyPressEvent) -> None:
            self._aside = event.current_buffer.document
            event.current_buffer.reset()

        @bindings.add("c-c", filter=at_prompt & commanding)
        @bindings.add("c-]", filter=at_prompt & commanding, eager=True)
        @bindings.add("enter", filter=at_prompt & commanding)
        def _end_command(event: KeyPressEvent) -> None:
            text = event.current_buffer.text.strip()
            event.current_buffer.reset(self._aside)
            self._aside = None
            if text and event.key_sequence[-1].key == Keys.Enter:
                self._command(text)

        @bindings.add("tab", filter=at_prompt)
        def _tab(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\t")

        @bindings.add(Keys.BracketedPaste, filter=at_prompt & ~commanding)
        def _paste(event: KeyPressEvent) -> None:
            *lines, rest = event.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for line in lines:
                event.current_buffer.insert_text(line)
                event.current_buffer.validate_and_handle()
            event.current_buffer.insert_text(rest)

        return bindings


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _terminal() -> Output:
    output = create_output()
    if isinstance(output, Vt100_Output):
        # Nothing here needs to know where the cursor is, and an answer of the terminal that comes
        # late would be taken for typed keys.
        output.enable_cpr = False
    return output
