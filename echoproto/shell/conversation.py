"""Runs a session on one connection: receives, sends, and ends it when the user ends the shell.

The shell receives only as fast as the terminal shows what came.

`connector` makes a `Conversation` for each connection. `session` and `client.connection` are below
this module.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from echoproto.client.connection import ClientConnection
    from echoproto.shell.session import Session

PROMPT_DELAY: Final = 0.05
"""Seconds without data after which the start of a line is treated as a prompt."""

PRINT_INTERVAL: Final = 0.02
"""Seconds between two prints of received data. In a flood, the prompt is visible between them."""

LINGER: Final = 1.0
"""Seconds without data after which an answer is complete, once the user has ended the session."""

UNANSWERED: Final = 10.0
"""Seconds to wait for an answer to begin, once the user has ended the session."""


class Conversation:
    """Runs `session` on `connection`."""

    def __init__(self, session: Session, connection: ClientConnection) -> None:
        self.connection = connection
        self._session = session
        self._received_at = 0.0  # in seconds of the event loop's clock
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Receive and send until the peer half-closes or closes. Raises NetworkError."""
        self._tasks = [
            asyncio.create_task(self._receive()),
            asyncio.create_task(self._session.outbox.send_to(self.connection)),
        ]
        try:
            await self._tasks[0]
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _receive(self) -> None:
        """Receive until the peer half-closes or closes. Raises NetworkError if it is lost."""
        loop = asyncio.get_running_loop()
        settling = loop.call_soon(self._session.settle)
        try:
            while data := await self.connection.receive():
                self._received_at = loop.time()
                self._session.note_received(data)
                settling.cancel()
                await self._show(data)
                settling = loop.call_later(PROMPT_DELAY, self._session.settle)
                await asyncio.sleep(PRINT_INTERVAL)
            self._session.receive_eof()
        finally:
            settling.cancel()

    async def _show(self, data: bytes) -> None:
        """Show what was received, in pieces for which the terminal has room."""
        room = await self._session.room()
        while len(data) > room:
            self._session.receive(data[:room])
            data = data[room:]
            await asyncio.sleep(PRINT_INTERVAL)
            room = await self._session.room()
        self._session.receive(data)

    async def finish(self, interrupted: asyncio.Future[None]) -> None:
        """End the connection for the user: half-close, and wait for the answer.

        Waits no longer once `interrupted` is done.
        """
        receiving, sending = self._tasks
        # On TLS, most servers close at our close_notify. Therefore it follows the answer.
        is_tls = self.connection.target.is_tls
        if not is_tls:
            self._session.end()
        await self._linger([receiving, interrupted])
        if is_tls and not interrupted.done():
            self._session.end()
            await asyncio.wait([sending], timeout=LINGER)

    async def _linger(self, ends: list[asyncio.Future[None]]) -> None:
        """Wait for the answer, until one of `ends` is done. If that takes long, say how to end."""
        session, now = self._session, asyncio.get_running_loop().time

        def left() -> float:
            sent_at = session.outbox.sent_at
            is_answered = self._received_at >= sent_at
            silent_since = max(self._received_at, sent_at)
            return silent_since + (LINGER if is_answered else UNANSWERED) - now()

        done, _ = await asyncio.wait(ends, timeout=LINGER, return_when=asyncio.FIRST_COMPLETED)
        if not done and left() > 0:
            session.say("Waiting for the rest. Ctrl-D or Ctrl-C ends the shell at once.")
        while not done and (seconds := left()) > 0:
            done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
