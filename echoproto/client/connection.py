"""One connection to a line server: `connect` opens it and builds its layers.

It is a socket with asyncio's socket calls, not a transport: what is in memory is what was asked
for, each direction goes as fast as it is asked to, and what has arrived can be received also when
sending has failed. What the network does wrong is a NetworkError, with one line for a person.

Between the socket and the application stand the layers of `wire`: TLS and telnet, each where it is
wanted. The rules of what is sent:

- Bytes go out in the order in which they have left the layers, as TLS has numbered them. So data
  enters the layers only when the socket is free for it, and one write is never within another.
- What a layer replies (`_queued`) goes out before any more data, also if nobody sends anything. As
  long as more than MAX_QUEUED bytes of it wait, nothing is received: a peer that asks and asks, and
  does not read, gets no further.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from echoproto.client.network_errors import connecting, reason, tls_errors
from echoproto.client.opening import open_socket, tls_context
from echoproto.errors import NetworkError, NotTelnetError
from echoproto.wire.layer import DataReceived, Ended, Layer, Pipeline, Reply
from echoproto.wire.tls import TLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import NamedTuple

    from echoproto.client.target import Target
    from echoproto.wire.telnet.codec import TelnetCodec

MAX_RECEIVE: Final = 64 * 1024
"""The most bytes that are received at a time."""

MAX_QUEUED: Final = 64 * 1024
"""Bytes of replies that wait for a peer to take them, before it is not received from."""


def ignore(event: object) -> None:
    """Do nothing."""


@asynccontextmanager
async def connect(
    target: Target,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    insecure: bool = False,
    telnet: TelnetCodec | None = None,
    on_event: Callable[[NamedTuple], object] = ignore,
) -> AsyncIterator[ClientConnection]:
    """Connect to `target`; the connection is closed at the end of the block.

    `timeout` is in seconds; None waits for as long as the system does. With `insecure`, the peer
    of a TLS connection may be anyone. `on_event` and `telnet` are those of `ClientConnection`.
    Raises NetworkError.
    """
    async with connecting(target, timeout):
        tls = None
        if context := tls_context(target, insecure=insecure):
            tls = TLS(context, server_side=False, server_hostname=target.host)
        connection = ClientConnection(target, await open_socket(target), tls, telnet, on_event)
        try:
            await connection.shake_hands()
        except BaseException:
            connection.close()
            raise
    try:
        yield connection
    finally:
        connection.close()


class ClientConnection:
    """An open connection, as `connect` makes it.

    `telnet` is the codec, if it is to pass through one. `on_event` is called with each event
    that is none of data: what telnet tells, for one.
    """

    def __init__(
        self,
        target: Target,
        sock: socket.socket,
        tls: TLS | None = None,
        telnet: TelnetCodec | None = None,
        on_event: Callable[[NamedTuple], object] = ignore,
    ) -> None:
        self.target = target
        self.telnet = telnet
        self._socket, self._tls, self._on_event = sock, tls, on_event
        layers: list[Layer | None] = [tls, telnet]
        self._pipeline = Pipeline([layer for layer in layers if layer is not None])
        self._events = self._pipeline.receive(b"")
        self._received: list[bytes] = []
        self._has_ended = False
        self._advanced = asyncio.Event()  # something has arrived, or will not
        self._failure: ssl.SSLError | None = None  # how receiving ends, after all that has come
        self._lost: NetworkError | None = None
        self._queued = bytearray()  # of replies and commands
        self._sending = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None

    async def shake_hands(self) -> None:
        """Do the handshake of TLS, if there is one. Raises ssl.SSLError, NetworkError."""
        if (tls := self._tls) is not None:
            await self._advance_until(lambda: tls.is_established)

    async def receive(self) -> bytes:
        """Data that has arrived, at least one byte; no byte once the peer has sent its last.

        Raises NetworkError.
        """
        with tls_errors(self.target.name):
            await self._advance_until(lambda: self._received or self._has_ended)
        data = b"".join(self._received)
        self._received.clear()
        return data

    async def send(self, data: bytes) -> bool:
        """Send `data`; returns when the system has taken it all.

        False if the peer has closed, and takes no more. Raises NetworkError.
        """
        while self._tls is not None and self._tls.pending:  # until the peer has agreed on new keys
            if self._has_ended or self._failure or self._lost:
                return False
            self._advanced.clear()
            await self._advanced.wait()
        return await self._send(lambda: self._pipeline.send(data))

    async def send_eof(self) -> None:
        """Tell the peer that it has the last byte, and go on receiving.

        Through TLS it is told by close_notify alone: many that meet the end of TCP then send no
        more.
        """
        with suppress(NetworkError):  # where the connection is lost, `receive` says so
            await self._send(self._pipeline.finish)
        if self._tls is None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def send_command(self, command: int) -> None:
        """Send a telnet command. Raises ValueError if this is not telnet."""
        if self.telnet is None:
            raise NotTelnetError("this connection is not telnet")
        self._queue(self.telnet, self.telnet.command(command))

    def resize(self, columns: int, rows: int) -> None:
        """Tell a telnet peer, if it wants to know, that the window has another size now."""
        if self.telnet is not None:
            self._queue(self.telnet, self.telnet.resize(columns, rows))

    def close(self) -> None:
        """Close the connection at once."""
        if self._flushing is not None:
            self._flushing.cancel()
        self._socket.close()

    # What arrives

    async def _advance_until(self, done: Callable[[], object]) -> None:
        """Act on what arrives until `done`; receive only where all that has come is acted on."""
        self._act_on_events()
        while not done():
            try:
                await self._find_events()
            finally:
                self._advanced.set()
            self._act_on_events()

    def _act_on_events(self) -> None:
        """Act on the events that there are, as long as there is room for replies."""
        try:
            for event in self._events:
                match event:
                    case DataReceived(data):
                        self._received.append(data)
                    case Reply(data):
                        self._queued += data
                        if len(self._queued) > MAX_QUEUED:
                            break
                    case Ended():
                        self._has_ended = True
                    case _:
                        self._on_event(event)
        except ssl.SSLError as error:
            self._failure = error
            if not self._sending.locked():
                with suppress(OSError):  # there may be no room for the alert: nothing waits for it
                    self._socket.send(self._take_queued())
        self._flush()

    async def _find_events(self) -> None:
        """Make room for replies, or receive."""
        if self._failure:
            raise self._failure
        if len(self._queued) > MAX_QUEUED:
            await self._send_queued()
            return
        await asyncio.sleep(0)  # a peer that is faster than we are must not keep the loop to itself
        with self._network_errors():
            data = await asyncio.get_running_loop().sock_recv(self._socket, MAX_RECEIVE)
        if not data and self._lost:
            raise self._lost  # the system tells of it once, and sending was told
        self._events = self._pipeline.receive(data) if data else self._pipeline.eof()

    # What is sent

    async def _send(self, encode: Callable[[], bytes]) -> bool:
        """Send what is queued, then what `encode` gives, then what was queued meanwhile."""
        async with self._sending:
            with tls_errors(self.target.name):
                wire = self._take_queued() + encode()
            while wire:
                if not await self._write(wire):
                    return False
                wire = self._take_queued()
        return True

    async def _write(self, data: bytes) -> bool:
        await asyncio.sleep(0)
        with self._network_errors():
            try:
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
            except BrokenPipeError:
                return False
        return True

    def _queue(self, layer: Layer, data: bytes) -> None:
        """Send what a layer itself has to say."""
        self._queued += self._pipeline.send_below(layer, data)
        self._flush()

    def _take_queued(self) -> bytes:
        queued = bytes(self._queued)
        self._queued.clear()
        return queued

    def _flush(self) -> None:
        """Send what is queued, but do not wait for it."""
        if self._sending.locked() or (self._flushing and not self._flushing.done()):
            return  # whoever is sending sends this too
        if self._queued:
            self._flushing = asyncio.create_task(self._send_queued())

    async def _send_queued(self) -> None:
        with suppress(NetworkError):  # where the connection is lost, `receive` says so
            await self._send(lambda: b"")

    @contextmanager
    def _network_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lost = NetworkError(f"{self.target.name}: {reason(error)}")
            raise self._lost from None
