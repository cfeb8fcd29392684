"""The key bindings of the shell, for the line prompt and for the command prompt.

All other keys have prompt_toolkit's default bindings, which are those of Emacs. `screen` uses this
module.
"""

from __future__ import annotations

from os.path import commonprefix
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus, is_searching
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.keys import Keys
from prompt_toolkit.search import stop_search

from echoproto.shell.command_line import last_word
from echoproto.shell.commands import COMMANDS
from echoproto.shell.key_help import describe_keys
from echoproto.shell.row import to_bytes
from echoproto.wire.dump import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.key_binding import KeyPressEvent

    from echoproto.shell.session import Session

LINE_BUFFER: Final = DEFAULT_BUFFER
"""Name of the buffer in which the user types lines to the peer."""

COMMAND_BUFFER: Final = "COMMANDS"
"""Name of the buffer in which the user types commands to the shell."""


def key_bindings(session: Session, send: Callable[[list[str]], object]) -> KeyBindings:
    """Return the key bindings for both prompts. `send` sends the lines of a paste."""
    bindings = KeyBindings()

    @bindings.add(Keys.Any, save_before=lambda event: not event.is_repeat)
    def _insert(event: KeyPressEvent) -> None:
        """Insert a character, but nothing for a key that has no binding (Ctrl-PageUp)."""
        if not isinstance(event.key_sequence[-1].key, Keys):
            get_by_name("self-insert").call(event)

    @bindings.add("f1")
    def _list_keys(_: KeyPressEvent) -> None:
        session.say(*describe_keys())

    @bindings.add("f2")
    def _pause(_: KeyPressEvent) -> None:
        session.toggle_pause()

    _bind_lines(bindings, session, send)
    _bind_commands(bindings, session)
    return bindings


def character_bindings(send: Callable[[str], object]) -> KeyBindings:
    """Return the key bindings for character mode. `send` sends what the terminal sends for a key.

    Every key goes to the peer, except Ctrl-], which opens the command line.
    """
    bindings = KeyBindings()

    @bindings.add(Keys.Any, eager=True)
    def _send(event: KeyPressEvent) -> None:
        press = event.key_sequence[-1]
        if press.key == Keys.BracketedPaste:
            send(press.data.replace("\r\n", "\r").replace("\n", "\r"))
        else:
            send(press.data)

    @bindings.add("c-]", eager=True)
    def _go_to_commands(event: KeyPressEvent) -> None:
        event.app.layout.focus(COMMAND_BUFFER)

    return bindings


def _bind_lines(
    bindings: KeyBindings, session: Session, send: Callable[[list[str]], object]
) -> None:
    here = has_focus(LINE_BUFFER)
    hidden = Condition(lambda: session.is_hidden)
    literal = Condition(lambda: get_app().quoted_insert)  # Ctrl-V: the next key is inserted

    @bindings.add("c-r", filter=here & hidden)
    @bindings.add("c-s", filter=here & hidden)
    def _search_nothing(_: KeyPressEvent) -> None:
        """Disable searching: the screen would show the search text, which may be a password."""

    @bindings.add("c-c", filter=here)
    def _clear(event: KeyPressEvent) -> None:
        if not session.stop_connecting():  # that leaves what is typed
            event.current_buffer.reset()
            session.stop_sending()

    @bindings.add("c-]", filter=here & ~literal, eager=True)
    def _go_to_commands(event: KeyPressEvent) -> None:
        event.app.layout.focus(COMMAND_BUFFER)

    @bindings.add("c-]", filter=is_searching, eager=True)
    def _leave_search(event: KeyPressEvent) -> None:
        stop_search()
        event.app.layout.focus(COMMAND_BUFFER)

    @bindings.add("c-v", filter=here)
    def _insert_next(event: KeyPressEvent) -> None:
        """Insert the next key as it is, also Ctrl-]. Ctrl-Q does the same, as in Emacs."""
        event.app.quoted_insert = True

    @bindings.add("tab", filter=here)
    def _insert_tab(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\t")

    @bindings.add(Keys.BracketedPaste, filter=here)
    def _paste(event: KeyPressEvent) -> None:
        first, *more = event.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        event.current_buffer.insert_text(first)
        if more:
            send([event.current_buffer.text, *more[:-1]])
            event.current_buffer.insert_text(more[-1])


def _bind_commands(bindings: KeyBindings, session: Session) -> None:
    here = has_focus(COMMAND_BUFFER)

    def has_no_history() -> bool:
        return not get_app().current_buffer.history.get_strings()

    @bindings.add("c-c", filter=here)
    @bindings.add("c-]", filter=here, eager=True)
    def _go_back(event: KeyPressEvent) -> None:
        event.current_buffer.reset()
        session.display.focus()

    @bindings.add("enter", filter=here)
    def _run(event: KeyPressEvent) -> None:
        text = event.current_buffer.text.strip()
        event.current_buffer.reset(append_to_history=bool(text))
        session.display.focus()
        if text:
            COMMANDS.run(session, text)

    @bindings.add("c-d", filter=here & Condition(lambda: not get_app().current_buffer.text))
    def _quit(_: KeyPressEvent) -> None:
        session.display.quit()

    @bindings.add("up", filter=here & Condition(has_no_history))
    @bindings.add("tab", filter=here)
    def _complete(event: KeyPressEvent) -> None:
        """Complete as far as all choices agree. If they agree no further, list them."""
        buffer = event.current_buffer
        before = buffer.document.text_before_cursor
        found = COMMANDS.complete(before)
        word = last_word(before)
        common = commonprefix([choice for choice, _ in found])  # noqa: RUF071 - words
        if common and common != word:
            buffer.delete_before_cursor(len(word))
            buffer.insert_text(common)
        elif len(found) > 1:
            shown = [(escape(to_bytes(choice)), means) for choice, means in found]
            width = max(8, *(len(choice) for choice, means in shown if means), 0)
            session.say(*(f"{choice:{width}} {means}".rstrip() for choice, means in shown))
        if len(found) == 1 and not common.endswith("/"):  # a folder is not the end of a word
            buffer.insert_text(" ")
