"""What waits to be sent, in the order in which it was typed: lines, keys, commands and files.

`session` fills an `Outbox`, and `conversation` runs it on a connection. Each connection has an
outbox of its own: what a connection did not take is never sent on the next one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.errors import NotTelnetError
from echoproto.shell.upload import Upload
from echoproto.wire.telnet.commands import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.client.connection import ClientConnection

MAX_SEND: Final = 64 * 1024
"""Number of bytes above which items that wait to be sent are not sent together."""


class Outgoing(NamedTuple):
    """Something to send: data, a telnet command or a file.

    `is_secret` says that nobody may show or save it, for example because it is a password.
    `line_end` is the line end of a line that was typed, and empty for anything else.
    """

    item: bytes | Command | Upload
    is_secret: bool = False
    line_end: bytes = b""


class Outbox:
    """The items that wait.

    `on_send` is called with each item when its turn to be sent has come, and with each part of a
    file. `on_end` is called before the connection is half-closed.
    """

    def __init__(self, on_send: Callable[[Outgoing], object], on_end: Callable[[], object]) -> None:
        self._on_send, self._on_end = on_send, on_end
        self.sent_at = 0.0
        """When an item was last sent, in seconds of the event loop's clock."""
        self.is_secret = False
        """Whether something secret is among what is being sent now."""
        self.sending = 0
        """How many items have had their turn, but are not accepted by the system yet."""
        self._waiting: asyncio.Queue[Outgoing | None] = asyncio.Queue()
        self._file: Outgoing | None = None  # the file that is being sent

    def put(self, outgoing: Outgoing) -> None:
        """Add an item."""
        self._waiting.put_nowait(outgoing)

    def end(self) -> None:
        """Half-close the connection after everything that waits is sent."""
        self._waiting.put_nowait(None)

    def discard(self) -> list[Outgoing]:
        """Discard what waits, and the rest of the file that is being sent. Return these items."""
        discarded = [self._file] if self._file else []
        self._file = None
        while not self._waiting.empty():
            if outgoing := self._waiting.get_nowait():
                discarded.append(outgoing)
        for outgoing in discarded:
            if isinstance(outgoing.item, Upload):
                outgoing.item.stop()
        return discarded

    async def send_to(self, connection: ClientConnection) -> None:
        """Send the items until `end`, then half-close. Raises NetworkError.

        Stops early at a file that the peer does not take, because it has closed the connection.
        """
        now = asyncio.get_running_loop().time
        outgoing: Outgoing | None = Outgoing(b"")
        while outgoing is not None:
            outgoing = await self._waiting.get()
            data = bytearray()
            while outgoing and isinstance(outgoing.item, bytes):
                self._on_send(outgoing)
                self.is_secret |= outgoing.is_secret
                self.sending += 1
                data += outgoing.item
                if self._waiting.empty() or len(data) > MAX_SEND:
                    break
                outgoing = self._waiting.get_nowait()
            if data and await connection.send(bytes(data)):
                self.sending = 0
            self.is_secret = False
            if outgoing and isinstance(outgoing.item, Command):
                self._on_send(outgoing)
                with suppress(NotTelnetError):  # found out since the user asked for the command
                    connection.send_command(outgoing.item)
            if outgoing and isinstance(outgoing.item, Upload):
                self._file = outgoing
                if not await self._send_file(connection, outgoing.item):
                    return  # the peer has closed: what is left is discarded, and counted
                self._file = None
            if data or outgoing:
                self.sent_at = now()
        self._on_end()
        await connection.send_eof()

    async def _send_file(self, connection: ClientConnection, upload: Upload) -> bool:
        """Send a file, and let other tasks run after each part of it.

        Returns False if the peer has closed the connection. Raises NetworkError.
        """
        for chunk in upload.chunks():
            self._on_send(Outgoing(chunk))
            is_taken = False
            try:
                is_taken = await connection.send(chunk)
            finally:
                if not is_taken:
                    upload.take_back(chunk)
            if not is_taken:
                return False
            await asyncio.sleep(0)
        return True
