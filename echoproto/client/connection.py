"""One connection to a line server: `connect` opens it and builds its layers.

The connection uses asyncio's socket calls instead of a transport, for three reasons. Memory holds
only the data that the caller asked for. Each direction runs at the speed at which the caller calls
it. The caller can still receive the data that arrived before sending failed. Every failure of the
network raises NetworkError, whose message is one line for the user.

The layers of `wire` stand between the socket and the application: TLS and telnet, each where it is
needed. Three rules govern sending:

- Bytes go out in the order in which they leave the layers, because TLS numbers its records.
  Therefore data enters the layers only when the socket is free, and writes never overlap.
- The replies of the layers (`_queued`) go out before any further data. They also go out when the
  application sends nothing.
- While more than MAX_QUEUED bytes of replies are pending, the connection receives nothing. A peer
  that sends requests and never reads the replies makes no progress.

`opening`, `stream` and `tapping` are below this module. `pipe`, `ping` and the shell are above it.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from echoproto.client.network_errors import connecting, tls_errors
from echoproto.client.opening import OnAttempt, open_socket
from echoproto.client.opening import ignore as ignore_attempt
from echoproto.client.stream import Stream
from echoproto.client.tapping import open_tap
from echoproto.client.target import Target
from echoproto.client.tls import tls_context, tls_reason
from echoproto.errors import NetworkError, NotTelnetError
from echoproto.wire.layer import DataReceived, Ended, Layer, Pipeline, Reply
from echoproto.wire.tap import TapLayer, WireKind
from echoproto.wire.tls import TLS, HandshakeCompleted

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable
    from typing import NamedTuple

    from echoproto.wire.tap import OnWire, Tap
    from echoproto.wire.telnet.codec import TelnetCodec

MAX_QUEUED: Final = 64 * 1024
"""Number of bytes of pending replies above which the connection stops receiving."""


def ignore(event: object) -> None:
    """Ignore the event."""


@asynccontextmanager
async def connect(
    target: Target | str,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    insecure: bool = False,
    telnet: TelnetCodec | None = None,
    on_event: Callable[[NamedTuple], object] = ignore,
    on_wire: OnWire | None = None,
    on_attempt: OnAttempt = ignore_attempt,
    wait_open: bool = False,
) -> AsyncIterator[ClientConnection]:
    """Connect to `target` and return a `ClientConnection`, as an asynchronous context manager.

    `target` is a `Target`, or text that `Target.parse` reads. The connection is closed at the end
    of the block.

    `timeout` limits the time for connecting, including the TLS handshake, in seconds; None leaves
    the limit to the system. With `insecure`, a TLS connection accepts any certificate. `telnet` and
    `on_event` are passed to `ClientConnection`.

    `on_wire` is called with a `WireEvent` for each call of the socket, as soon as the system has
    moved the bytes; on TLS, with the decrypted bytes. If it raises an exception, the connection
    goes on without it, and the event loop's exception handler is called once.

    `on_attempt` is called with an address of the host, its number, and the number of addresses,
    before each attempt to connect. With `wait_open`, a port that refuses connections, or a Unix
    socket that does not exist, is tried again until it is there, or `timeout` has passed.

    Raises NetworkError if connecting fails or takes longer than `timeout`, TargetError for text
    that is not a target, and OSError if SSL_CERT_FILE or SSL_CERT_DIR names what cannot be read.
    """
    if isinstance(target, str):
        target = Target.parse(target)
    context = tls_context(target, insecure=insecure)
    async with connecting(target, timeout):
        tls = None
        if context:
            tls = TLS(context, server_side=False, server_hostname=target.server_name)
        sock = await open_socket(target, on_attempt, wait_open=wait_open)
        tap = open_tap(on_wire, sock) if on_wire is not None else None
        connection = ClientConnection(target, sock, tls, telnet, on_event, tap=tap)
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
    """An open connection to a server, as `connect` returns it.

    `target` is where it is connected to. `telnet` is the codec through which the data passes, or
    None if the connection does not speak telnet. `on_event` is called with each event that is not
    data: for example, when telnet enables an option. `tap` is told what is on the wire.
    """

    def __init__(
        self,
        target: Target,
        sock: socket.socket,
        tls: TLS | None = None,
        telnet: TelnetCodec | None = None,
        on_event: Callable[[NamedTuple], object] = ignore,
        *,
        tap: Tap | None = None,
    ) -> None:
        self.target = target
        self.telnet = telnet
        self.stream = Stream(target, sock, tap)
        self._tls, self._on_event, self._tap = tls, on_event, tap
        layers: list[Layer | None] = [tls, TapLayer(tap) if tls and tap else None, telnet]
        self._pipeline = Pipeline([layer for layer in layers if layer is not None])
        self._events = self._pipeline.receive(b"")
        self._received: list[bytes] = []
        self._has_ended = False
        self._receiving = asyncio.Lock()
        self._progress = asyncio.Event()  # set after each attempt to receive, also if it failed
        # What is wrong with what has arrived. It is raised after all data before it is received.
        self._failure: ssl.SSLError | NetworkError | None = None
        self._data_end = 0  # how many bytes were sent before our close_notify
        self._queued = bytearray()  # replies and commands that wait to be sent
        self._sending = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None

    async def shake_hands(self) -> None:
        """Complete the TLS handshake, if the connection uses TLS. `connect` calls this.

        Raises ssl.SSLError if the handshake fails, and NetworkError if the connection is lost.
        """
        if (tls := self._tls) is not None:
            await self._receive_until(lambda: tls.is_established)

    async def receive(self) -> bytes:
        """Wait for data and return all bytes that have arrived.

        Returns at least one byte, or `b""` after the peer has half-closed or closed the connection.
        Raises NetworkError if the connection is lost or closed, or its TLS fails. TLS without a
        close_notify at its end has failed, because what was received may have been cut off (RFC
        8446, section 6.1).
        """
        self.stream.check_open()
        try:
            with tls_errors(self.target.name):
                await self._receive_until(lambda: self._received or self._has_ended)
        finally:
            self._progress.set()
        data = b"".join(self._received)
        self._received.clear()
        return data

    async def send(self, data: bytes, convert: Callable[[bytes], bytes] | None = None) -> bool:
        """Send `data`, and wait until the system has accepted all of it.

        If `convert` is given, what it returns for `data` is sent. It is called when all that was
        sent before has left the layers, so that it can go by what telnet has negotiated by then.

        Returns True, or False if the peer has closed the connection and accepts no more data.
        Raises NetworkError if the connection is lost or closed.
        """

        def encode() -> bytes:
            return self._pipeline.send(convert(data) if convert else data)

        return await self._has_keys() and await self._send(encode)

    async def delivered(self) -> bool:
        """Wait until the peer's system has acknowledged all data that was sent.

        Returns True, or False if the peer has closed the connection before that. Raises
        NetworkError if the connection is lost or closed.
        """
        return (
            await self._has_keys()
            and await self._send(lambda: b"")
            and await self.stream.acknowledged(self._data_end)
        )

    async def send_eof(self) -> None:
        """Half-close the connection: send no more data, but continue to receive.

        On TLS, only a close_notify alert is sent (RFC 8446, section 6.1). The TCP connection is not
        half-closed, because many servers stop sending when they receive FIN. If the connection is
        lost, this method raises nothing; `receive` raises NetworkError.
        """
        with suppress(NetworkError):  # `receive` raises it
            await self._send(self._pipeline.finish)
        if self._tls is None:
            self.stream.send_eof()

    def send_command(self, command: int) -> None:
        """Send the telnet command `command` without waiting for it (RFC 854).

        The connection is telnet from then on. Raises NotTelnetError, which is also a ValueError, if
        it has no telnet codec or the codec has found that the peer is not telnet.
        """
        if self.telnet is None:
            raise NotTelnetError("this connection is not telnet")
        self._queue(self.telnet, self.telnet.command(command))

    def resize(self, columns: int, rows: int) -> None:
        """Set the size of the terminal window, in columns and rows.

        Reports the size to a telnet peer that has enabled NAWS (RFC 1073). Otherwise nothing is
        sent.
        """
        if self.telnet is not None:
            self._queue(self.telnet, self.telnet.resize(columns, rows))

    def close(self) -> None:
        """Close the connection at once. Data that is still pending here is discarded.

        After that, `receive`, `send` and `delivered` raise NetworkError, also in tasks that already
        wait in them.
        """
        if self._flushing is not None:
            self._flushing.cancel()
        self.stream.close()
        self._progress.set()

    # Receiving

    async def _receive_until(self, done: Callable[[], object]) -> None:
        """Receive, and handle what arrives, until `done` returns a true value.

        Handles all pending events before it receives more.
        """
        async with self._receiving:
            self._handle_events()
            while not done():
                try:
                    await self._find_events()
                finally:
                    self._progress.set()
                self._handle_events()

    def _handle_events(self) -> None:
        """Handle the pending events. Stop early if more than MAX_QUEUED bytes of replies wait."""
        try:
            for event in self._events:
                match event:
                    case DataReceived(data):
                        self._received.append(data)
                    case Reply(data):
                        self._queued += data
                        if len(self._queued) > MAX_QUEUED:
                            break
                    case Ended(clean):
                        self._end_receiving(clean=clean)
                    case _:
                        if self._tap and self._tls and isinstance(event, HandshakeCompleted):
                            self._tap.report(WireKind.TLS_ESTABLISHED, text=self._tls.version)
                        self._on_event(event)
        except ssl.SSLError as error:
            self._failure = error
            if self._tap:
                self._tap.report(WireKind.LOST, text=tls_reason(error))
            if not self._sending.locked():
                with suppress(OSError):  # if the socket has no room, the peer gets no alert
                    self.stream.send_some(self._take_queued())
        self._flush()

    def _end_receiving(self, *, clean: bool) -> None:
        wrong = "" if clean else "without TLS's close_notify: what it sent may have been cut off"
        if self._tap:  # a plain stream has reported it before
            self._tap.report(WireKind.RECEIVED_EOF, text=wrong)
        if clean:
            self._has_ended = True
        else:
            self._failure = NetworkError(f"{self.target.name}: it closed {wrong}")

    async def _find_events(self) -> None:
        """Send the pending replies if there are too many. Otherwise receive and decode data."""
        if self._failure:
            raise self._failure
        if len(self._queued) > MAX_QUEUED:
            await self._send_queued()
            return
        data = await self.stream.receive()
        self._events = self._pipeline.receive(data) if data else self._pipeline.eof()

    # Sending

    async def _has_keys(self) -> bool:
        """Wait while TLS 1.2 renegotiates keys, because data stays pending until then.

        Receives the peer's part, or leaves that to `receive` in another task. Data that arrives
        meanwhile is kept for `receive`; while there is much of it, only `receive` goes on. Returns
        False if nothing more is received.
        """
        while self._tls is not None and self._tls.pending:
            if self._has_ended or self._failure or self.stream.lost:
                return False
            self.stream.check_open()
            if self._receiving.locked() or sum(map(len, self._received)) > MAX_QUEUED:
                self._progress.clear()
                await self._progress.wait()
                continue
            with tls_errors(self.target.name):
                async with self._receiving:
                    await self._find_events()
                    self._handle_events()
        return True

    async def _send(self, encode: Callable[[], bytes]) -> bool:
        """Send what is queued, then the bytes from `encode`.

        Returns False if the peer has closed the connection. What is queued meanwhile is sent after
        whoever waits to send already: a peer that makes us reply without end cannot keep them out.
        """
        async with self._sending:
            self.stream.check_open()
            with tls_errors(self.target.name):
                wire = self._take_queued() + encode()
            if wire and not await self.stream.send(wire):
                return False
            if self._tls is None or not self._tls.is_finished:
                self._data_end = self.stream.bytes_sent
        self._flush()
        return True

    def _queue(self, layer: Layer, data: bytes) -> None:
        """Queue bytes that `layer` itself produced, and start to send them."""
        self._queued += self._pipeline.send_below(layer, data)
        self._flush()

    def _take_queued(self) -> bytes:
        queued = bytes(self._queued)
        self._queued.clear()
        return queued

    def _flush(self) -> None:
        """Start to send what is queued, without waiting for it."""
        if self._sending.locked() or (self._flushing and not self._flushing.done()):
            return  # whoever is sending now comes back for this
        if self._queued:
            self._flushing = asyncio.create_task(self._send_queued())

    async def _send_queued(self) -> None:
        with suppress(NetworkError):  # `receive` raises it
            while self._queued:
                await self._send(lambda: b"")
