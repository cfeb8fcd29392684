"""The terminal: a prompt that stays at the bottom, with the sent and received lines above it.

- This module prints everything above the prompt, in the order in which it happened. To print, it
  erases the prompt, prints the text, and draws the prompt again below the text. This never changes
  what the user is typing.
- There are two prompts: the line prompt, for lines to the peer, and the command prompt, for
  commands to the shell. The screen shows one of them at a time. Each has a separate text and a
  separate history.

`app` runs a `Screen`, which is the `Display` of a `Session`. The bindings of its keys are in
`keys`.
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
        self._lines.accept_handler = self._send_line
        self._app.layout = self._layout(command_history)

    async def run(self, start: Callable[[], None], resized: Callable[[int, int], None]) -> None:
        """Show the prompt and handle keys until `end` is called.

        Calls `start` at the beginning. Each time after drawing the prompt, calls `resized` with the
        columns and rows of the terminal. Raises EOFError when the user ends the session.
        """
        size = self._output.get_size
        self._app.after_render += lambda _: resized(size().columns, size().rows)
        await self._prompt.prompt_async(pre_run=start)

    def end(self) -> None:
        """End `run`, because the peer has closed.

        Save the unfinished line in the history, unless it is hidden.
        """
        if self._app.is_running and not self._app.is_done:
            self._app.layout.focus(self._lines)
            if not self._session.is_hidden:
                self._lines.append_to_history()
            self._app.erase_when_done = not self._lines.text
            self._app.exit()

    def print(self, text: StyleAndTextTuples) -> None:
        """Print `text` above the prompt."""
        if self._app.is_running:
            self._app.renderer.erase()
        print_formatted_text(self._output, text, STYLE)
        self._app.invalidate()

    def redraw(self) -> None:
        """Draw the prompt again."""
        self._app.invalidate()

    def forget_typed(self) -> None:
        """Discard the line that is being typed, and the clipboard of what was cut."""
        self._lines.reset()
        self._app.clipboard = InMemoryClipboard()

    def quit(self) -> None:
        """End `run` as Ctrl-D does."""
        self._app.exit(exception=EOFError)

    def _send_line(self, buffer: Buffer) -> bool:
        """Send the line that was typed."""
        text = buffer.text
        if self._session.is_hidden:
            buffer.reset()  # prompt_toolkit would otherwise save the text in the history
        self._session.type_line(text)
        return False  # tells prompt_toolkit to clear the line

    def _layout(self, command_history: History) -> Layout:
        """Return a layout with the line prompt, or the command prompt while that has the focus."""
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
        # The shell does not need the position of the cursor. If the terminal answered such a
        # request late, its answer would be taken for typed keys.
        output.enable_cpr = False
    return output
