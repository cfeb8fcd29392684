"""Prints what is on the wire above the prompt, while the user wants to see it.

What is secret is not shown: of a password, the user sees only how many bytes were sent. The files
of -o and --pcap are not written here; they hold all bytes.

`app` passes a `WirePrinter` to the connection as `on_wire`. `wire.wire_view`, below, makes the
lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from echoproto.wire.tap import WireKind
from echoproto.wire.wire_view import WIDTH, WireView

if TYPE_CHECKING:
    from echoproto.shell.session import Session
    from echoproto.wire.tap import WireEvent
    from echoproto.wire.telnet.codec import TelnetCodec

MAX_ROWS: Final = 16
"""Largest number of rows of hex for what one call of the socket has moved.

It keeps the prompt responsive in a flood.
"""


class WirePrinter:
    """Prints events of the connections of `session`, as long as its setting `wire` is on.

    Call `begin` before each connection. `width` is the number of columns of the terminal.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.width = WIDTH
        self._codec: TelnetCodec | None = None
        self._view: WireView | None = None  # None while nothing is shown

    def begin(self, codec: TelnetCodec) -> None:
        """Begin with a connection whose telnet codec is `codec`."""
        self._codec, self._view = codec, None

    def __call__(self, event: WireEvent) -> None:
        """Print `event`, which has just happened on the connection.

        Bytes that arrive are timed first, because printing them takes longer than most replies.
        """
        session = self._session
        if event.kind is WireKind.RECEIVED:
            session.note_arrival()
        if not session.settings.wire:
            self._view = None
            return
        if self._view is None:
            self._view = self._new_view()
        self._view.width = self.width
        lines = self._view.lines(event)
        if event.kind is WireKind.SENT and session.is_open and session.outbox.is_secret:
            lines = [[*lines[0], ("dim", ", hidden: it may be a password")]]
        session.display.print(
            [(_style(style), text) for line in lines for style, text in (*line, _LINE_END)]
        )

    def _new_view(self) -> WireView:
        if self._codec is None or self._codec.is_plain:
            return WireView("never", max_rows=MAX_ROWS)
        return WireView("always" if self._codec.is_telnet else "auto", max_rows=MAX_ROWS)


_LINE_END: Final = ("", "\n")


def _style(style: str) -> str:
    return f"class:wire.{style}" if style else ""
