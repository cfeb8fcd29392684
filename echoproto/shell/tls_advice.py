"""Tells the user that the server may wait for TLS, when it sends nothing on a port of TLS.

A server that speaks TLS from the start says nothing to a client that does not, and many wait long
before they close. `app` adds a `TLSAdvice` to the watchers of the session.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from echoproto.client.tls import usual_tls
from echoproto.shell.watcher import Watcher

if TYPE_CHECKING:
    from echoproto.client.target import Target
    from echoproto.shell.session import Session

SILENCE: Final = 3.0
"""Seconds without a byte from the server after which the user is told."""


class TLSAdvice(Watcher):
    """Advises the user of `session` to use TLS, once for each connection where it may help."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, target: Target) -> None:
        """See Watcher."""
        if tls := usual_tls(target):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SILENCE, self._advise, target.port, tls)

    def received(self, data: bytes) -> None:  # noqa: ARG002
        """See Watcher."""
        self._cancel()

    def closed(self) -> None:
        """See Watcher."""
        self._cancel()

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _advise(self, port: int, tls: Target) -> None:
        self._session.say(
            f"Nothing came. Port {port} is usually TLS: try Ctrl-] close, then Ctrl-] open {tls}"
        )
