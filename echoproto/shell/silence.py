"""A hint for someone whose line gets no answer: the server may wait for another line end.

It is given when a line went out and nothing has come for a second, once for each line end that is
tried on a connection. There is none after a line with the same line end has been answered: the
server understands it, and is silent for another reason. There is none either for what is secret, in
character mode, for bytes and files, and if the user has chosen to send no line end.

`app` adds a `SilenceHint` to the watchers of the session.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from echoproto.shell.line_ends import LINE_END_WORDS, describe_line_end
from echoproto.shell.watcher import Watcher

if TYPE_CHECKING:
    from typing import NamedTuple

    from echoproto.client.target import Target
    from echoproto.shell.outbox import Outgoing
    from echoproto.shell.session import Session

DELAY: Final = 1.0
"""Seconds of silence after which the hint is given."""

_OTHERS: Final = {b"\r\n": "lf"}
"""For a line end, the name of the one to try next. For all others, that is crlf."""


class SilenceHint(Watcher):
    """Watches the lines that `session` sends, and prints the hint, on the running event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._settled_line_ends: set[bytes] = set()  # those that were answered, or hinted at
        self._waiting_for: bytes | None = None  # the line end of the line that has no answer
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, target: Target) -> None:  # noqa: ARG002
        """Begin anew."""
        self._stop()
        self._settled_line_ends.clear()

    def sent(self, outgoing: Outgoing) -> None:
        """Wait for the answer to a line."""
        line_end = outgoing.line_end
        if (
            line_end
            and not outgoing.is_secret
            and line_end not in self._settled_line_ends
            and not self._session.takes_keys
        ):
            self._stop()
            self._waiting_for = line_end
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._hint, line_end)

    def received(self, data: bytes) -> None:  # noqa: ARG002
        """The line end is understood, if there was one."""
        if self._waiting_for is not None:
            self._settled_line_ends.add(self._waiting_for)
        self._stop()

    def notified(self, event: NamedTuple) -> None:  # noqa: ARG002
        """Stop waiting: the server speaks telnet, where the line ends are agreed on."""
        self._stop()

    def half_closed(self) -> None:
        """Stop waiting: the user has no more to send."""
        self._stop()

    def closed(self) -> None:
        """Stop waiting."""
        self._stop()

    def _stop(self) -> None:
        self._waiting_for = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _hint(self, line_end: bytes) -> None:
        self._stop()
        if self._session.is_hidden or self._session.takes_keys:
            return
        self._settled_line_ends.add(line_end)
        words, other = describe_line_end(line_end), _OTHERS.get(line_end, "crlf")
        text = (
            f"No answer yet to the line, which ended with {words}. "
            f"To try {LINE_END_WORDS[other]}: Ctrl-] eol {other}\n"
        )
        self._session.display.print([("class:dim", text)])
