"""What waits to be sent: lines, keys and telnet commands, in the order in which they were typed.

`session` fills an `Outbox`, and `connector` runs it on a connection. Each connection has an outbox
of its own: what a connection did not take is never sent on the next one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.errors import NotTelnetError
from echoproto.wire.telnet.commands import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.client.connection import ClientConnection

MAX_SEND: Final = 64 * 1024
"""Number of bytes above which items that wait to be sent are not sent together."""


class Outgoing(NamedTuple):
    """Something to send: data, or a telnet command.

    `is_secret` says that nobody may show or save it, for example because it is a password.
    """

    item: bytes | Command
    is_secret: bool = False


class Outbox:
    """The items that wait. `on_send` is called with each item when its turn to be sent has come."""

    def __init__(self, on_send: Callable[[Outgoing], object]) -> None:
        self._on_send = on_send
        self.sent_at = 0.0
        """When an item was last sent, in seconds of the event loop's clock."""
        self.sending = 0
        """How many items have had their turn, but are not accepted by the system yet."""
        self._waiting: asyncio.Queue[Outgoing | None] = asyncio.Queue()

    def put(self, outgoing: Outgoing) -> None:
        """Add an item."""
        self._waiting.put_nowait(outgoing)

    def end(self) -> None:
        """Half-close the connection after everything that waits is sent."""
        self._waiting.put_nowait(None)

    def discard(self) -> int:
        """Discard what waits. Return how many items that was."""
        count = 0
        while not self._waiting.empty():
            count += self._waiting.get_nowait() is not None
        return count

    async def send_to(self, connection: ClientConnection) -> None:
        """Send the items until `end`, then half-close. Raises NetworkError."""
        now = asyncio.get_running_loop().time
        outgoing: Outgoing | None = Outgoing(b"")
        while outgoing is not None:
            outgoing = await self._waiting.get()
            data = bytearray()
            while outgoing and isinstance(outgoing.item, bytes):
                self._on_send(outgoing)
                self.sending += 1
                data += outgoing.item
                if self._waiting.empty() or len(data) > MAX_SEND:
                    break
                outgoing = self._waiting.get_nowait()
            if data and await connection.send(bytes(data)):
                self.sending = 0
            if outgoing and isinstance(outgoing.item, Command):
                self._on_send(outgoing)
                with suppress(NotTelnetError):  # found out since the user asked for the command
                    connection.send_command(outgoing.item)
            if data or outgoing:
                self.sent_at = now()
        await connection.send_eof()
