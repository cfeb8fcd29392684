"""The terminal: a prompt that stays at the bottom, with the sent and received lines above it.

- This module prints everything above the prompt, in the order in which it happened. To print, it
  erases the prompt, prints the text, and draws the prompt again below the text. This never changes
  what the user is typing.
- There are two prompts: the line prompt, for lines to the peer, and the command prompt, for
  commands to the shell. Each has a separate text and a separate history. In character mode, the
  line of the peer, with its cursor, takes the place of the line prompt. The screen shows one of
  the three at a time.

`app` runs a `Screen`, which is the `Display` of a `Session`. The bindings of its keys are in
`keys`.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application.current import set_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory, ConditionalAutoSuggest
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput, TabsProcessor
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.search import stop_search

from echoproto.shell import keys
from echoproto.shell.command_line import PROMPT
from echoproto.shell.history import LineBuffer
from echoproto.shell.pace import Pace
from echoproto.shell.parser import KeyParser
from echoproto.shell.renderer import ReflowRenderer
from echoproto.shell.styles import styles_for
from echoproto.shell.terminal import open_terminal
from echoproto.shell.view import EscapeProcessor, encodable
from echoproto.wire.dump import TAB_STOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.clipboard import Clipboard
    from prompt_toolkit.document import Document
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyPress
    from prompt_toolkit.output import Output

    from echoproto.shell.session import Session


class _Prompt(PromptSession[None]):
    """The line prompt, on a `LineBuffer`."""

    default_buffer: LineBuffer

    def _create_default_buffer(self) -> LineBuffer:
        return LineBuffer(
            name=keys.LINE_BUFFER, history=self.history, auto_suggest=self.auto_suggest
        )


class Screen:
    """The display of `session` on a terminal.

    `history` is the history of lines, and `command_history` that of commands. `input` and `output`
    replace the terminal.
    """

    def __init__(
        self,
        session: Session,
        *,
        history: History,
        command_history: History,
        input: Input | None = None,  # noqa: A002
        output: Output | None = None,
    ) -> None:
        self._session = session
        self._pace = Pace()
        self._output = output or open_terminal(self._pace)
        self._style = styles_for(self._output)
        self._prompt = _Prompt(
            lambda: self._encodable(session.prompt),
            history=history,
            auto_suggest=ConditionalAutoSuggest(
                AutoSuggestFromHistory(), Condition(lambda: not session.is_hidden)
            ),
            is_password=Condition(lambda: session.is_hidden),
            key_bindings=keys.key_bindings(session, self._send),
            enable_suspend=True,
            style=self._style,
            input_processors=[
                EscapeProcessor(self._encodable),
                TabsProcessor(TAB_STOP, " ", " "),
            ],
            include_default_pygments_style=False,
            input=input,
            output=self._output,
        )
        self._app = self._prompt.app
        self._app.renderer = ReflowRenderer(self._app.renderer.style, self._output)
        self._lines = self._prompt.default_buffer
        if isinstance(self._app.input, Vt100Input):
            self._app.input.vt100_parser = KeyParser(self._app.input.vt100_parser)  # type: ignore[assignment]
        self._lines.accept_handler = self._send_line
        self._commands = LineBuffer(
            name=keys.COMMAND_BUFFER, history=command_history, multiline=False
        )
        self._keys = FormattedTextControl(
            # prompt_toolkit draws the cursor only on a character: there is a blank behind the last.
            lambda: [*self._encodable(session.peer_line[0]), ("", " ")],
            focusable=True,
            get_cursor_position=lambda: Point(session.peer_line[1], 0),
            show_cursor=True,
            key_bindings=keys.character_bindings(self._type_keys),
        )
        self._app.layout = self._layout()
        self._app.key_processor.before_key_press += lambda _: self._note_key()
        self._report_size: Callable[[], None] = lambda: None
        self._is_behind = False  # the session has changed, and the screen does not follow it yet
        # While the line is hidden: what was typed and cut in the clear.
        self._before_hidden: tuple[Document, Clipboard] | None = None

    async def run(self, start: Callable[[], None], resized: Callable[[int, int], None]) -> None:
        """Show the prompt and handle keys until `end` is called.

        Calls `start` at the beginning. Each time after drawing the prompt, and before sending what
        the user typed, calls `resized` with the columns and rows of the terminal. Raises EOFError
        when the user ends the session.
        """
        size = self._output.get_size
        self._report_size = lambda: resized(size().columns, size().rows)
        self._app.after_render += lambda _: self._report_size()
        await self._load_histories()
        # The program has a handler for SIGINT. That of prompt_toolkit fails while `run` ends: the
        # terminal is then as it was, and Ctrl-C is a signal.
        await self._prompt.prompt_async(pre_run=start, handle_sigint=False)

    def end(self) -> None:
        """End `run`, because the shell ends with its connection.

        Save the unfinished line in the history, unless it is hidden.
        """
        if self._app.is_running and not self._app.is_done:
            self._app.layout.focus(self._lines)
            if not self._session.is_hidden:
                self._lines.append_to_history()
            self._app.erase_when_done = not self._lines.text
            self._app.exit()

    def print(self, text: StyleAndTextTuples) -> None:
        """Print `text` above the prompt, which may have changed."""
        self._follow_session()
        if self._app.is_running:
            self._app.renderer.erase()
        print_formatted_text(self._output, self._encodable(text), self._style)
        self._app.invalidate()

    def _encodable(self, text: StyleAndTextTuples) -> StyleAndTextTuples:
        """Return `text` as the terminal can show it. Every UTF-8 terminal can show all of it."""
        encoding = self._output.encoding() or "utf-8"
        return text if encoding.lower() in ("utf-8", "utf8") else encodable(text, encoding)

    def redraw(self) -> None:
        """Draw the prompt again, because it has changed.

        A server can change it thousands of times at once. The screen follows the last change, after
        what is going on now, or before the next key.
        """
        if not self._is_behind:
            self._is_behind = True
            asyncio.get_running_loop().call_soon(self._catch_up)
        self._app.invalidate()

    def _catch_up(self) -> None:
        """Follow the session, if that is still to be done."""
        if self._is_behind:
            self._follow_session()
            self._app.invalidate()

    async def room(self) -> int:
        """Wait until the terminal can show more, and return the number of bytes to print."""
        while delay := self._pace.delay(monotonic()):  # noqa: ASYNC110 - a key makes it longer
            await asyncio.sleep(delay)
        return self._pace.take()

    def focus(self) -> None:
        """Let the user type to the peer again, after a command."""
        self._app.layout.focus(self._keys if self._session.takes_keys else self._lines)

    def quit(self) -> None:
        """End `run` as Ctrl-D does."""
        self._app.exit(exception=EOFError)

    def use_history(self, history: History) -> None:
        """Recall lines from `history`, and add new ones to it. What is being typed stays."""
        self._lines.history = history
        self._app.create_background_task(self._load_history(self._lines))

    @contextmanager
    def interrupted(self) -> Iterator[asyncio.Future[None]]:
        """Return a future that is done when the user presses Ctrl-D or Ctrl-C, after `run`."""
        interrupted = asyncio.get_running_loop().create_future()

        def look_at(pressed: Iterable[KeyPress]) -> None:
            found = any(press.key in (Keys.ControlC, Keys.ControlD) for press in pressed)
            if (found or source.closed) and not interrupted.done():
                interrupted.set_result(None)

        source = self._app.input
        with source.raw_mode(), source.attach(lambda: look_at(source.read_keys())):
            look_at(get_typeahead(source))
            yield interrupted

    async def _load_histories(self) -> None:
        for buffer in (self._lines, self._commands):
            await self._load_history(buffer)

    async def _load_history(self, buffer: Buffer) -> None:
        async for _ in buffer.history.load():
            pass
        buffer.reset(buffer.document)

    def _send(self, lines: Sequence[str]) -> None:
        """Send the lines that were typed or pasted, and begin a new one."""
        self._report_size()  # the answer may depend on it, and the prompt is drawn again only later
        self._lines.remember(self._session.type_lines(lines))
        self._lines.reset()

    def _send_line(self, buffer: Buffer) -> bool:
        """Send the line that was typed. Without a connection, ask for one, and keep the line."""
        if self._session.is_open:
            self._send([buffer.text])
        else:
            self._session.reopen()
        return True  # tells prompt_toolkit to leave the line alone

    def _type_keys(self, text: str) -> None:
        """Send keys that were pressed in character mode."""
        self._report_size()
        self._session.type_keys(text.encode("utf-8", "surrogateescape"))

    def _note_key(self) -> None:
        """Prepare for a key that was pressed."""
        self._pace.pressed(monotonic())
        self._catch_up()

    def _follow_session(self) -> None:
        """Follow the session into character mode and out of it, and into hidden lines and out."""
        self._is_behind = False
        layout = self._app.layout
        is_at_keys = layout.has_focus(self._keys)
        # Nothing else moves the focus away from a command, or from a search in the history.
        if self._session.takes_keys != is_at_keys and not layout.has_focus(self._commands):
            self.focus()
        # The session prints the start of the peer's line when it closes: not twice.
        self._app.erase_when_done = self._session.has_start
        self._follow_hidden()

    def _follow_hidden(self) -> None:
        """Put what was typed and cut in the clear aside while the line is hidden.

        It is no part of a password. It takes the place of what is typed while the line is hidden,
        which must not become visible.
        """
        if self._session.is_hidden and not self._before_hidden:
            self._before_hidden = (self._lines.document, self._prompt.clipboard)
            self._lines.reset()
            self._prompt.clipboard = InMemoryClipboard()
            with set_app(self._app):
                stop_search()  # it would show what is typed
        elif self._before_hidden and not self._session.is_hidden:
            document, self._prompt.clipboard = self._before_hidden
            self._before_hidden = None
            self._lines.reset(document)

    def _layout(self) -> Layout:
        """Return a layout that shows what has the focus: a prompt, or the line of the peer."""
        processors = [
            EscapeProcessor(self._encodable),
            BeforeInput([("class:prompt", PROMPT)]),
        ]
        command_line = Window(
            BufferControl(self._commands, input_processors=processors), wrap_lines=True
        )
        at_commands, at_keys = has_focus(self._commands), has_focus(self._keys)
        keys_window = Window(self._keys, wrap_lines=True, dont_extend_height=True)
        return Layout(
            HSplit(
                [
                    ConditionalContainer(self._app.layout.container, ~at_commands & ~at_keys),
                    ConditionalContainer(command_line, at_commands),
                    ConditionalContainer(keys_window, at_keys),
                ]
            ),
            self._lines,
        )
