"""The terminal: one prompt that stays at the bottom, and above it what was sent and what came.

Everything above the prompt is printed here, in the order in which it happened. The prompt is taken
away, the text printed, the prompt drawn again below; what is being typed is never touched.

There are two prompts, of which one is there at a time: that for lines to the peer, and that for
commands to the shell. Each has a text and a history of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory, ConditionalAutoSuggest
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.layout import BufferControl, ConditionalContainer, HSplit, Layout, Window
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style

from echoproto.shell import commands, keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from echoproto.shell.session import Session


STYLE: Final = Style.from_dict(
    {
        "prompt": "ansigreen",
        "escape": "ansiyellow",
        "sent": "ansibrightblack",
        "auto-suggestion": "ansibrightblack",
    }
)


class Screen:
    """The display of `session`.

    `history` is that of lines, `command_history` that of commands. `input` and `output` are the
    terminal unless given.
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
        self._output = output or _terminal()
        self._prompt: PromptSession[None] = PromptSession(
            lambda: session.prompt,
            history=history,
            auto_suggest=ConditionalAutoSuggest(
                AutoSuggestFromHistory(), Condition(lambda: not session.is_hidden)
            ),
            is_password=Condition(lambda: session.is_hidden),
            key_bindings=keys.key_bindings(session),
            enable_suspend=True,
            style=STYLE,
            include_default_pygments_style=False,
            input=input,
            output=self._output,
        )
        self._app = self._prompt.app
        self._lines = self._prompt.default_buffer
        self._lines.accept_handler = self._accept
        self._app.layout = self._layout(command_history)

    async def run(self, start: Callable[[], None], resized: Callable[[int, int], None]) -> None:
        """Let a person type until `end`; raises EOFError when the person ends it.

        `start` is called at the beginning; `resized` with the columns and rows of the terminal,
        whenever the prompt was drawn.
        """
        size = self._output.get_size
        self._app.after_render += lambda _: resized(size().columns, size().rows)
        await self._prompt.prompt_async(pre_run=start)

    def end(self) -> None:
        """End: the peer is gone. What is being typed is kept in the history."""
        if self._app.is_running and not self._app.is_done:
            self._app.layout.focus(self._lines)
            if not self._session.is_hidden:
                self._lines.append_to_history()
            self._app.erase_when_done = not self._lines.text
            self._app.exit()

    def print(self, text: StyleAndTextTuples) -> None:
        """Print above the prompt."""
        if self._app.is_running:
            self._app.renderer.erase()
        print_formatted_text(self._output, text, STYLE)
        self._app.invalidate()

    def redraw(self) -> None:
        """Draw the prompt again."""
        self._app.invalidate()

    def forget_typed(self) -> None:
        """Throw away the line that is being typed, and what was cut out of lines."""
        self._lines.reset()
        self._app.clipboard = InMemoryClipboard()

    def quit(self) -> None:
        """End, as the user does."""
        self._app.exit(exception=EOFError)

    def _accept(self, buffer: Buffer) -> bool:
        """Send the line that was typed."""
        text = buffer.text
        if self._session.is_hidden:
            buffer.reset()  # now, so that it does not go into the history
        self._session.type_line(text)
        return False  # the line is cleared

    def _layout(self, command_history: History) -> Layout:
        """The prompt for lines, and in its place that for commands while it has the focus."""
        buffer = Buffer(name=keys.COMMAND_BUFFER, history=command_history, multiline=False)
        before = BeforeInput([("class:prompt", commands.PROMPT)])
        command_line = Window(BufferControl(buffer, input_processors=[before]), wrap_lines=True)
        at_commands = has_focus(buffer)
        return Layout(
            HSplit(
                [
                    ConditionalContainer(self._app.layout.container, ~at_commands),
                    ConditionalContainer(command_line, at_commands),
                ]
            ),
            self._lines,
        )


def _terminal() -> Output:
    output = create_output()
    if isinstance(output, Vt100_Output):
        # Nothing here needs to know where the cursor is, and an answer of the terminal that comes
        # late would be taken for typed keys.
        output.enable_cpr = False
    return output
