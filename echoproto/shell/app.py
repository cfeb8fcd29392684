"""The shell: one prompt that stays at the bottom, and above it what was sent and what came.

Everything above the prompt is printed here, in the order in which it happened: a line when it is
sent, the peer's lines when they come. The prompt is taken away, the text printed, the prompt drawn
again below; what is being typed is never touched. The peer is read only as fast as the terminal
shows what it sends.

What the peer has sent of a line that has no end yet (`login: `) is the prompt.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text

from echoproto.client.connection import NetworkError, connect
from echoproto.shell.history import open_history
from echoproto.shell.view import STYLE, show, show_lines
from echoproto.wire.framing import LineSplitter, LineTooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyPressEvent
    from prompt_toolkit.output import Output

    from echoproto.client.connection import Connection
    from echoproto.client.target import Target

PROMPT: Final = "> "

FRAME: Final = 0.02
"""Seconds between two prints of what the peer sends: in a flood, the prompt stands that long."""

LINGER: Final = 1.0
"""Seconds that the peer has to send what it still has, after the last line is sent."""

SETTLED: Final = 0.05
"""Seconds after which the start of a line is taken for a prompt, if no more of it comes."""

LONGEST_LINE: Final = 1 << 20
"""Bytes after which a line is shown although its end has not come; what follows is another."""

LONGEST_PROMPT: Final = 60
"""Bytes of the start of a line that are shown as the prompt: the last ones."""


async def run_shell(target: Target, *, wait: float | None, eol: bytes, history: str) -> None:
    """Connect to `target` and run the shell until the user or the peer ends it.

    `wait` is the most seconds that connecting may take. `eol` ends each line that is sent. The
    history is the one kept under the name `history`. Raises NetworkError.
    """
    async with connect(target, wait) as connection:
        kept, problem = open_history(history)
        shell = Shell(connection, eol=eol, history=kept)
        notice = f"Connected to {target.name}. Ctrl-D ends."
        _say("\n".join(filter(None, [notice, problem])))
        if await shell.run():
            _say(f"{target.name} closed the connection.")


class Shell:
    """The shell on an open connection. `input` and `output` are the terminal unless given."""

    def __init__(
        self,
        connection: Connection,
        *,
        eol: bytes,
        history: History,
        input: Input | None = None,  # noqa: A002
        output: Output | None = None,
    ) -> None:
        self._connection = connection
        self._eol = eol
        self._output = output or _terminal()
        self._to_send: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._splitter = LineSplitter(max_length=LONGEST_LINE)
        self._start = b""  # of the peer's line that has no end yet, as far as it is the prompt
        self._session: PromptSession[None] = PromptSession(
            self._prompt,
            history=history,
            auto_suggest=AutoSuggestFromHistory(),
            key_bindings=self._key_bindings(),
            enable_suspend=True,
            style=STYLE,
            include_default_pygments_style=False,
            input=input,
            output=self._output,
        )
        self._session.default_buffer.accept_handler = self._accept

    async def run(self) -> bool:
        """Run until the user ends it, or the peer: then True. Raises NetworkError."""
        tasks: list[asyncio.Task[None]] = []

        def start() -> None:
            tasks.append(asyncio.create_task(self._receive()))
            tasks.append(asyncio.create_task(self._send()))
            tasks[0].add_done_callback(lambda _: self._end())

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
            self._splitter.feed(data)
            if lines := list(self._lines()):
                self._start = b""
                self._print(show_lines(lines))
            settled = loop.call_later(SETTLED, self._show_start)
            await asyncio.sleep(FRAME)
        if rest := self._splitter.take_rest():
            self._start = b""
            self._print(show_lines([rest]))

    def _lines(self) -> Iterator[bytes]:
        """The lines that have come; one that is too long in pieces."""
        while True:
            try:
                yield from self._splitter
            except LineTooLongError as error:
                yield error.line
                self._splitter.put_back(b"")  # the rest of it is not skipped
            else:
                return

    async def _send(self) -> None:
        """Send what was typed, in order; None is the end of it."""
        while (data := await self._to_send.get()) is not None:
            await self._connection.send(data)
        self._connection.send_eof()

    def _end(self) -> None:
        """The peer is gone: keep what is being typed, and end the prompt."""
        app, typed = self._session.app, self._session.default_buffer
        if app.is_running and not app.is_done:
            typed.append_to_history()
            app.erase_when_done = not typed.text
            app.exit()

    def _accept(self, buffer: Buffer) -> bool:
        """Send the line that was typed."""
        data = buffer.text.encode("utf-8", "surrogateescape")
        prompt = self._prompt()
        if self._start:
            # All that has come of it stands above now, with what was answered to it.
            prompt = show(self._splitter.take_rest())
            self._start = b""
        self._print([*prompt, *show(data, "class:sent"), ("", "\n")])
        self._to_send.put_nowait(data + self._eol)
        return False  # the line is cleared

    def _show_start(self) -> None:
        self._start = self._splitter.partial
        self._session.app.invalidate()

    def _prompt(self) -> StyleAndTextTuples:
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

        @bindings.add("c-c", filter=at_prompt)
        def _clear(event: KeyPressEvent) -> None:
            event.current_buffer.reset()

        @bindings.add("tab", filter=at_prompt)
        def _tab(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\t")

        @bindings.add(Keys.BracketedPaste, filter=at_prompt)
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
