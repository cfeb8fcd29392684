"""Keeps the shell connected: opens connections, one at a time, and runs the session on each.

When a connection ends, the shell says why, and stays. The user then asks for the next connection.

`app` starts a `Connector`. `session` and `client.connection` are below this module.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from echoproto.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from echoproto.client.connection import ClientConnection
    from echoproto.client.target import Target
    from echoproto.shell.session import Session
    from echoproto.wire.telnet.codec import TelnetCodec

    Connect: TypeAlias = Callable[
        [Target, TelnetCodec, Callable[[NamedTuple], object]],
        AbstractAsyncContextManager[ClientConnection],
    ]
    """Connects to a target, with a telnet codec and a handler of its events."""

PROMPT_DELAY: Final = 0.05
"""Seconds without data after which the start of a line is treated as a prompt."""

PRINT_INTERVAL: Final = 0.02
"""Seconds between two prints of received data. In a flood, the prompt is visible between them."""

LINGER: Final = 1.0
"""Seconds without data after which an answer is complete, once the user has ended the session."""

UNANSWERED: Final = 10.0
"""Seconds to wait for an answer to begin, once the user has ended the session."""


class Connector:
    """Opens connections for `session` by `connect`, and gives each a codec from `new_codec`.

    With `once`, the first connection is the only one: when it ends, so does `run`, which raises
    NetworkError if the connection was lost. Whether there is a connection is `session.is_open`.
    """

    def __init__(
        self,
        session: Session,
        connect: Connect,
        new_codec: Callable[[Target], TelnetCodec],
        *,
        once: bool = False,
    ) -> None:
        self._session, self._connect, self._new_codec = session, connect, new_codec
        self._once = once
        self._is_ending = False  # the user has ended the shell
        self._reopen = asyncio.Event()
        session.on_reopen = self._reopen.set
        self.opened = asyncio.Event()
        """Set when the first connection is open."""
        self.begin = asyncio.Event()
        """To be set when what the peer sends can be shown. Nothing is received before that."""
        self._connection: ClientConnection | None = None
        self._received_at = 0.0  # in seconds of the event loop's clock
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Open the connection to the target of the session, and again whenever the user asks.

        Raises NetworkError if the first connection cannot be opened.
        """
        while True:
            try:
                await self._run_once()
                if self._is_ending:
                    return
                self._session.say(f"{self._session.target.name} closed the connection.")
            except NetworkError as error:
                if self._once or not self.opened.is_set():
                    raise
                self._session.say(str(error))
            if self._once:
                return
            self._session.say("Enter connects again; Ctrl-D quits.")
            await self._reopen.wait()

    async def _run_once(self) -> None:
        """Run the session on one connection, until the peer ends it."""
        session = self._session
        self._reopen.clear()
        codec = self._new_codec(session.target)
        async with self._connect(session.target, codec, session.handle_event) as connection:
            self._connection = connection
            session.open(codec)
            self.opened.set()
            await self.begin.wait()
            self._tasks = [
                asyncio.create_task(self._receive(connection)),
                asyncio.create_task(session.outbox.send_to(connection)),
            ]
            try:
                await self._tasks[0]
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                self._connection = None
                session.close()

    async def _receive(self, connection: ClientConnection) -> None:
        """Receive until the peer half-closes or closes. Raises NetworkError if it is lost."""
        loop = asyncio.get_running_loop()
        settling = loop.call_soon(self._session.settle)
        try:
            while data := await connection.receive():
                self._received_at = loop.time()
                self._session.receive(data)
                settling.cancel()
                settling = loop.call_later(PROMPT_DELAY, self._session.settle)
                await asyncio.sleep(PRINT_INTERVAL)
        finally:
            settling.cancel()

    def resize(self, columns: int, rows: int) -> None:
        """Set the size of the terminal window, and report it to the peer if it wants to know."""
        if self._connection:
            self._connection.resize(columns, rows)

    async def finish(self, interrupted: asyncio.Future[None]) -> None:
        """End the connection for the user: half-close, and wait for the answer.

        Waits no longer once `interrupted` is done.
        """
        if self._connection is None:
            return
        self._is_ending = True
        receiving, sending = self._tasks
        # On TLS, most servers close at our close_notify. Therefore it follows the answer.
        is_tls = self._connection.target.is_tls
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
