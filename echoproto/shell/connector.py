"""Keeps the shell connected: opens connections, one at a time, and runs the session on each.

When a connection ends, the shell says why, and stays. The next connection is opened when the user
asks for it, or by itself after a time that grows with each failure. Whatever lasts (a connection,
an attempt to connect, the time before the next) is one task, which the user can stop.

`app` starts a `Connector`. `conversation` and `client.connection` are below this module.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from echoproto.client.backoff import Backoff
from echoproto.client.notice import Notice
from echoproto.errors import NetworkError
from echoproto.shell.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from echoproto.client.connection import ClientConnection
    from echoproto.client.opening import OnAttempt
    from echoproto.client.target import Target
    from echoproto.shell.session import Session
    from echoproto.wire.telnet.codec import TelnetCodec


class Connect(Protocol):
    """Connects to a target, with a telnet codec and a handler of its events.

    `on_attempt` and `wait_open` are those of `client.connection.connect`.
    """

    def __call__(
        self,
        target: Target,
        codec: TelnetCodec,
        on_event: Callable[[NamedTuple], object],
        *,
        on_attempt: OnAttempt,
        wait_open: bool,
    ) -> AbstractAsyncContextManager[ClientConnection]:
        """Connect to `target`."""


STABLE: Final = 5.0
"""Seconds after which a connection is stable: when it ends, the first wait is short again."""


class Connector:
    """Opens connections for `session` by `connect`, and gives each a codec from `new_codec`.

    With `once`, the first connection is the only one: when it ends, so does `run`, which raises
    NetworkError if the connection was lost. With `reconnect`, the next attempt comes by itself.
    With `wait_open`, the first connection waits until something listens. `show` shows what is said
    while the first connection is being opened, before there is a prompt.

    Whether there is a connection is `session.is_open`.
    """

    def __init__(
        self,
        session: Session,
        connect: Connect,
        new_codec: Callable[[Target], TelnetCodec],
        *,
        once: bool = False,
        reconnect: bool = False,
        wait_open: bool = False,
        show: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._session, self._connect, self._new_codec = session, connect, new_codec
        self._once, self._reconnect, self._wait_open = once, reconnect, wait_open
        self._show_first = show
        self._backoff = Backoff()
        self._is_ending = False  # the user has ended the shell
        self._wanted = asyncio.Event()  # the user wants a connection
        session.on_reopen = self.reopen
        session.on_stop = self.stop
        self.ready = asyncio.Event()
        """Set when the first connection is open, or has failed and may be tried again."""
        self.begin = asyncio.Event()
        """To be set when what the peer sends can be shown. Nothing is received before that."""
        self._attempted: Target | None = None  # what is being connected to
        self._conversation: Conversation | None = None
        self._stoppable: asyncio.Task[None] | None = None
        self._farewell: list[str] = []  # what to say when the user has stopped what was going on
        self._last_failure = ""  # what was last said of an attempt that failed

    async def run(self) -> None:
        """Open the connection to the target of the session, and later the next ones.

        Raises NetworkError if the first connection cannot be opened, unless it is tried again.
        """
        while True:
            self._wanted.clear()
            is_stopped = not await self._until_stopped(self._run_once())
            if self._is_ending or self._once:
                return
            if self._reconnect and not is_stopped and await self._until_stopped(self._pause()):
                continue
            if not self._wanted.is_set():  # it may be: the user gave another target meanwhile
                self._session.say(*self._farewell, "Enter connects again; Ctrl-D quits.")
                self._farewell = []
                await self._wanted.wait()

    def reopen(self) -> None:
        """Connect to the target of the session now. Nothing is done while doing so already."""
        if self._attempted == self._session.target:
            return
        self._wanted.set()
        if self._attempted and self._stoppable:
            self._stoppable.cancel()

    def stop(self) -> bool:
        """Close the connection, or stop connecting. Return False if there is nothing to stop."""
        if self._stoppable is None:
            return False
        name = self._session.target.name
        self._farewell[:] = [
            f"Closed the connection to {name}." if self._conversation else "Stopped."
        ]
        self._backoff.reset()
        self._stoppable.cancel()
        return True

    async def _until_stopped(self, doing: Coroutine[Any, Any, None]) -> bool:
        """Run `doing`. Return False if the user has stopped it."""
        self._stoppable = task = asyncio.create_task(doing)
        try:
            await asyncio.wait({task})
            if task.cancelled():
                return False
            task.result()
            return True
        finally:
            self._stoppable = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run_once(self) -> None:
        """Connect, run the session until its connection ends, and say why it has ended."""
        session, name = self._session, self._session.target.name
        try:
            async with AsyncExitStack() as stack:
                connection = await self._open(stack)
                await self._run_session(connection)
            if not self._is_ending:
                hint = connection.stream.hint if connection.stream.bytes_sent else ""
                session.say(f"{name} closed the connection{hint}.")
        except (NetworkError, OSError) as error:  # OSError: SSL_CERT_FILE cannot be read
            is_tried_again = self._reconnect and isinstance(error, NetworkError)
            if self._once or not (self.ready.is_set() or is_tried_again):
                raise
            if str(error) != self._last_failure:  # the same failure again is said in the prompt
                session.say(str(error))
            self._last_failure = str(error)
            self.ready.set()

    async def _open(self, stack: AsyncExitStack) -> ClientConnection:
        """Connect, and let the session begin. `stack` closes the connection."""
        session, target = self._session, self._session.target
        is_first = not self.ready.is_set()
        codec = self._new_codec(target)
        wait_open = self._wait_open and is_first
        show = self._show_first if is_first else session.show_status
        self._attempted = target
        try:
            with Notice(target, show, is_waiting=wait_open) as notice:
                connection = await stack.enter_async_context(
                    self._connect(
                        target,
                        codec,
                        session.handle_event,
                        on_attempt=notice.attempt,
                        wait_open=wait_open,
                    )
                )
        finally:
            self._attempted = None
        self._last_failure = ""
        session.open(codec)
        if not is_first:
            session.say(f"Connected to {target.name}.")
        return connection

    async def _run_session(self, connection: ClientConnection) -> None:
        """Run the session on `connection` until the peer ends it. Raises NetworkError."""
        now = asyncio.get_running_loop().time
        self._conversation, opened_at = Conversation(self._session, connection), now()
        self.ready.set()
        try:
            await self.begin.wait()
            await self._conversation.run()
        finally:
            self._conversation = None
            self._session.close()
            if now() - opened_at > STABLE:
                self._backoff.reset()

    async def _pause(self) -> None:
        """Wait before the next attempt, unless the user wants it now. The prompt counts down."""
        now = asyncio.get_running_loop().time
        end = now() + self._backoff.next()
        try:
            while (left := end - now()) > 0 and not self._wanted.is_set():
                self._session.show_status(
                    f"Connecting again in {math.ceil(left)} s; Enter connects now, Ctrl-C stops."
                )
                with suppress(TimeoutError):
                    async with asyncio.timeout(left - math.ceil(left) + 1):
                        await self._wanted.wait()
        finally:
            self._session.show_status("")

    def resize(self, columns: int, rows: int) -> None:
        """Set the size of the terminal window, and report it to the peer if it wants to know."""
        if self._conversation:
            self._conversation.connection.resize(columns, rows)

    async def finish(self, interrupted: asyncio.Future[None]) -> None:
        """End the connection for the user, as `Conversation.finish` does."""
        if self._conversation:
            self._is_ending = True
            await self._conversation.finish(interrupted)
