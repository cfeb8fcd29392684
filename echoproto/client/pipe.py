"""Runs a connection as a pipe: sends the input to the peer, and writes what arrives to the output.

Both directions are byte-exact, and at most a few chunks are in memory. The pipe reads its input
only as fast as the peer accepts data, and receives only as fast as the output accepts data.

The two directions end separately:

- At the end of input, the pipe half-closes (at once, or when the answer is in: see `HalfClose`),
  and goes on receiving.
- When the peer has ended its side, the pipe goes on sending as long as there is input. Input that
  then stays away for LAST_INPUT seconds is over: the peer has probably gone, and only sending more
  could tell.

The pipe ends well if the peer's system has acknowledged all input, and everything that the peer
sent is written. Input that the peer does not take is a NetworkError.
"""

from __future__ import annotations

import asyncio
import math
import os
import select
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.client.descriptors import ready, unread
from echoproto.client.network_errors import in_seconds
from echoproto.errors import NetworkError
from echoproto.wire.framing import replace_lf

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import Any

    from echoproto.client.connection import ClientConnection

MAX_READ: Final = 256 * 1024
"""Maximum number of bytes to read from the input at a time."""

LAST_INPUT: Final = 0.5
"""Seconds to wait for more input after the peer has ended its side. socat waits as long."""

AT_HALF_CLOSE: Final = 1.0
"""If the peer closes within this many seconds of our half-close, that is probably the reason."""

_IDLE_POLLS: Final = 8
"""How often to ask, in the time that the pipe may be idle, whether anything has moved."""


class HalfClose(NamedTuple):
    """When to half-close after the end of input.

    `answered` is for how long the peer must have been silent, in seconds, if anything has arrived
    since the last input was sent. `unanswered` is the same if nothing has.
    """

    answered: float
    unanswered: float


AT_ONCE: Final = HalfClose(0, 0)
"""For TCP and Unix sockets. Most servers take a half-close for the end of input, and answer it."""

WHEN_ANSWERED: Final = HalfClose(2, 10)
"""For TLS. RFC 8446, section 6.1, makes close_notify a half-close, but most servers close at it."""

NEVER: Final = HalfClose(math.inf, math.inf)


async def pipe(
    connection: ClientConnection,
    inputs: Iterable[int] | None,
    output: int | None,
    *,
    crlf: bool = False,
    idle: float | None = None,
    half_close: HalfClose | None = None,
    quit_after: float | None = None,
    on_silence: Callable[[], object] = lambda: None,
) -> None:
    """Send everything from the file descriptors `inputs`, one after the other, then half-close.

    Returns when the peer has closed and everything that it sent has been written to the file
    descriptor `output`, or when `quit_after` seconds have passed since the peer's system
    acknowledged the last input. With `crlf`, each LF is sent as CR LF, or as the line end that
    telnet has at that moment (`TelnetCodec.line_end`). By default, `half_close` is WHEN_ANSWERED on
    TLS, and AT_ONCE otherwise.

    If `inputs` is None, nothing is sent and the pipe does not half-close. If `output` is None, what
    arrives is dropped, and the pipe ends as soon as all input is acknowledged.

    `on_silence` is called if the peer closes right after our half-close and has sent nothing: the
    half-close may be the reason.

    Raises NetworkError if the connection is lost, if the peer closes before it has taken all input,
    or if nothing has moved for `idle` seconds. A byte moves when our system or the peer's takes
    it, and when it arrives, is written, or is read from the output, as far as the system tells.
    Raises OSError if an input or the output fails; its `filename` is the descriptor.
    """
    if half_close is None:
        half_close = WHEN_ANSWERED if connection.target.is_tls else AT_ONCE
    running = _Pipe(connection, output, half_close)
    try:
        async with asyncio.timeout(idle) as idle_timeout:
            watching = asyncio.create_task(running.watch(idle_timeout, idle or math.inf))
            try:
                await running.run(inputs, crlf=crlf, quit_after=quit_after)
            finally:
                watching.cancel()
                if running.is_silent:
                    on_silence()
    except TimeoutError:
        raise NetworkError(f"{connection.target.name}: idle for {in_seconds(idle)}") from None


class _Pipe:
    """A pipe that runs. Its two tasks note what they send, and receive, for each other."""

    def __init__(
        self, connection: ClientConnection, output: int | None, half_close: HalfClose
    ) -> None:
        self._connection, self._output, self._half_close = connection, output, half_close
        loop = asyncio.get_running_loop()
        self._time, self._call_later = loop.time, loop.call_later
        self._sent = self._received = self._written = 0  # bytes of data
        self._writing = asyncio.Lock()  # held while the output takes what has arrived
        self._is_answered = asyncio.Event()  # the peer has been silent for long enough
        self._silence = self._call_later(half_close.unanswered, self._is_answered.set)
        self._half_closed = -math.inf  # when we half-closed; only if there was input
        self._failures: list[NetworkError] = []  # those of receiving first
        self.is_silent = False

    async def run(
        self, inputs: Iterable[int] | None, *, crlf: bool, quit_after: float | None
    ) -> None:
        self._receiving = asyncio.create_task(self._receive())
        tasks = {self._receiving}
        if inputs is not None:
            tasks.add(asyncio.create_task(self._send(inputs, crlf=crlf, quit_after=quit_after)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                if not task.cancelled():
                    task.result()  # an input or the output that fails ends the pipe at once
        finally:
            self._silence.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._failures:
            raise self._failures[0]

    async def watch(self, idle_timeout: asyncio.Timeout, idle: float) -> None:
        """Reschedule `idle_timeout` whenever anything has moved."""
        seen: tuple[int, ...] = ()
        stream, output = self._connection.stream, self._output
        while not idle_timeout.expired():
            moved = (
                stream.bytes_sent,
                stream.unacknowledged,
                stream.bytes_received,
                self._written,
                0 if output is None else unread(output),
            )
            if moved != seen:
                seen = moved
                idle_timeout.reschedule(self._time() + idle)
            await asyncio.sleep(idle / _IDLE_POLLS)

    # Receiving

    async def _receive(self) -> None:
        try:
            while data := await self._connection.receive():
                self._received += len(data)
                self._silence.cancel()  # while the output is slow, more of the answer may wait
                async with self._writing:
                    if self._output is not None:
                        await self._write(self._output, data)
                    self._expect_silence(self._half_close.answered)
        except NetworkError as error:
            self._failures.insert(0, error)
        else:
            took = self._time() - self._half_closed
            self.is_silent = not self._received and took < AT_HALF_CLOSE

    async def _write(self, fd: int, data: bytes) -> None:
        """Write all of `data`. A slow output slows down the connection, not the event loop."""
        view = memoryview(data)
        while view:
            if not select.select([], [fd], [], 0)[1]:
                await ready(fd, to_write=True)
            # A descriptor that is ready accepts PIPE_BUF bytes without blocking. Non-blocking mode
            # is no alternative: it would apply to every process that shares the open file.
            with _errors_of(fd):
                count = os.write(fd, view[: select.PIPE_BUF])
            self._written += count
            view = view[count:]

    # Sending

    async def _send(self, inputs: Iterable[int], *, crlf: bool, quit_after: float | None) -> None:
        try:
            await self._send_inputs(inputs, crlf=crlf)
            if ends_at_once := self._half_close == AT_ONCE or self._output is None:
                await self._end()
            if not await self._connection.delivered():
                raise self._not_taken()
            if self._output is None:
                self._receiving.cancel()
                return
            try:
                async with asyncio.timeout(quit_after):
                    if not ends_at_once:
                        await self._until_answered()
                        await self._end()
                    await asyncio.wait({self._receiving})
            except TimeoutError:
                async with self._writing:  # what has arrived is written
                    self._receiving.cancel()
                await self._connection.send_eof()
        except NetworkError as error:
            self._failures.append(error)

    async def _send_inputs(self, inputs: Iterable[int], *, crlf: bool) -> None:
        after_cr = False
        remaining = iter(inputs)
        for fd in remaining:
            while is_there := await self._before_end(ready(fd), LAST_INPUT):
                with _errors_of(fd):
                    data = os.read(fd, MAX_READ)
                if not data:
                    break
                convert = partial(self._replace_lf, after_cr=after_cr) if crlf else None
                after_cr = data.endswith(b"\r")
                if not await self._connection.send(data, convert):
                    raise self._not_taken()
                self._sent += len(data)
                self._expect_silence(self._half_close.unanswered)
            if not is_there:
                if next(remaining, None) is not None:
                    raise self._not_taken()
                return

    def _replace_lf(self, data: bytes, *, after_cr: bool) -> bytes:
        telnet = self._connection.telnet
        line_end = telnet.line_end if telnet else b"\r\n"
        return replace_lf(data, line_end, after_cr=after_cr)

    def _expect_silence(self, seconds: float) -> None:
        self._silence.cancel()
        self._is_answered.clear()
        self._silence = self._call_later(seconds, self._is_answered.set)

    async def _until_answered(self) -> None:
        """Wait until the answer of the peer is in, or the peer has ended its side."""
        while await self._before_end(self._is_answered.wait(), 0):
            async with self._writing:  # this may take time, and then more of the answer may come
                if self._is_answered.is_set():
                    return

    async def _before_end(self, event: Coroutine[Any, Any, object], grace: float) -> bool:
        """Wait for `event`, but for only `grace` seconds once the peer has ended its side.

        Returns whether it has come.
        """
        waiting = asyncio.create_task(event)
        try:
            await asyncio.wait({waiting, self._receiving}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await asyncio.wait({waiting}, timeout=grace)
            return waiting.done()
        finally:
            waiting.cancel()

    async def _end(self) -> None:
        if self._sent and self._output is not None and not self._receiving.done():
            self._half_closed = self._time()
        await self._connection.send_eof()

    def _not_taken(self) -> NetworkError:
        return NetworkError(
            f"{self._connection.target.name}: closed by the server before it took all of the input"
        )


@contextmanager
def _errors_of(fd: int) -> Iterator[None]:
    """Let an OSError in the block name `fd`."""
    try:
        yield
    except OSError as error:
        error.filename = fd
        raise
