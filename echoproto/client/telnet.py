"""Telnet on a connection: `receive` gives data, `send` takes data, and the rest is answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from echoproto.client.connection import NetworkError
from echoproto.wire.negotiation import Policy
from echoproto.wire.telnet import DataReceived, Option, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from echoproto.client.connection import Connection
    from echoproto.wire.telnet import Event, TelnetCodec

MOST_QUEUED: Final = 64 * 1024
"""Bytes of replies that wait for a peer to take them, before it is not received from."""

FOR_PIPE: Final = Policy(
    us=frozenset([Option.BINARY, Option.SGA]),
    him=frozenset([Option.BINARY, Option.SGA]),
)
FOR_PERSON: Final = Policy(
    us=FOR_PIPE.us | {Option.TTYPE, Option.NAWS},
    him=FOR_PIPE.him | {Option.ECHO},
)
"""What is agreed to when a server proposes it."""


class TelnetConnection:
    """A connection, through telnet, for the time of an `async with`.

    `tell` is called with each event that is none of data.
    """

    def __init__(
        self,
        connection: Connection,
        codec: TelnetCodec,
        tell: Callable[[Event], object] = lambda _: None,
    ) -> None:
        self.target = connection.target
        self._connection = connection
        self._codec = codec
        self._tell = tell
        self._queued = b""  # replies and commands, to be sent before any more data
        self._sending = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flushing is not None:
            self._flushing.cancel()

    async def receive(self) -> bytes:
        """Data that has arrived, at least one byte; no byte once the peer has sent its last.

        Raises NetworkError.
        """
        data = b""
        while not data:
            arrived = await self._connection.receive()
            if not arrived:
                return self._codec.end()
            self._codec.feed(arrived)
            for event in self._codec.events():
                match event:
                    case DataReceived(more):
                        data += more
                    case Reply(reply):
                        self._queued += reply
                    case _:
                        self._tell(event)
            if len(self._queued) > MOST_QUEUED:
                await self._send_queued()
            self._flush()
        return data

    async def send(self, data: bytes) -> bool:
        """Send data; False if the peer has closed. Raises NetworkError."""
        async with self._sending:
            wire = self._take_queued() + self._codec.encode(data)
            while wire:
                if not await self._connection.send(wire):
                    return False
                wire = self._take_queued()
        return True

    async def send_eof(self) -> None:
        """Tell the peer that it has the last byte, and go on receiving."""
        await self._send_queued()
        await self._connection.send_eof()

    def send_command(self, command: int) -> None:
        """Send a telnet command. Raises ValueError if this is not telnet."""
        self._queued += self._codec.command(command)
        self._flush()

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size now: the peer is told, if it wants to know."""
        self._queued += self._codec.resize(columns, rows)
        self._flush()

    def _take_queued(self) -> bytes:
        queued, self._queued = self._queued, b""
        return queued

    def _flush(self) -> None:
        """Send what is queued, but do not wait for it."""
        if self._sending.locked() or (self._flushing and not self._flushing.done()):
            return  # whoever is sending sends this too
        if self._queued:
            self._flushing = asyncio.create_task(self._send_queued())

    async def _send_queued(self) -> None:
        with suppress(NetworkError):  # where the connection is lost, `receive` says so
            await self.send(b"")
