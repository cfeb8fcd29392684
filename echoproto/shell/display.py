"""The place where the user sees a session and types: what `session` needs of a screen.

`screen` has the one for a terminal. Nothing is below this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples


class Display(Protocol):
    """The place where the user sees a session and types."""

    def print(self, text: StyleAndTextTuples) -> None:
        """Print `text` above the prompt."""

    def redraw(self) -> None:
        """Draw the prompt again: `prompt`, `is_hidden` or `takes_keys` has changed."""

    async def room(self) -> int:
        """Wait until more can be printed. Return the number of bytes to print at most."""

    def focus(self) -> None:
        """Let the user type to the peer again, after a command."""

    def quit(self) -> None:
        """End the session as Ctrl-D does."""
