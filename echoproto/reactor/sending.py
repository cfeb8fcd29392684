"""`Sender`: the sending half of a connection, on a uvloop transport.

`write` passes data to uvloop, which sends at once everything that the system accepts. The rest of
this module deals with data that is still unsent:

- A producer is paused and resumed.
- A connection closes, or half-closes, only after everything has been sent.

The behaviour is that of Twisted's `abstract.FileDescriptor`; `_all_sent` does the work that is at
the end of its `doWrite`.

`data` is below this module. `starttls` and `transport` are above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.reactor.data import join, to_bytes

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable, Iterable

    from _typeshed import ReadableBuffer

    from echoproto.reactor.loop import Loop

log = Logger()

UPPER_LIMIT: Final = 1 << 16
"""Unsent bytes above which a push producer is paused: uvloop's own limit for a new connection.

uvloop resumes at 16 bytes there, and at 16 KiB after `set_write_buffer_limits()` with its defaults;
Twisted resumes a producer when everything has been sent.
"""


class Sender:
    """The part of `TCPTransport` that sends.

    `_writer` is the object that `write` passes data to. It is uvloop's transport, unless another
    writer must see or drop the data.
    """

    # Attributes that every connection sets have slots. Only a connection that sets other attributes
    # gets a __dict__.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_uv",
        "_writer",
        "connected",
        "disconnecting",
        "producer",
    )

    _uv: Transport
    _writer: Any
    _protocol: Any
    loop: Loop

    streamingProducer = True
    _writing_paused = False  # uvloop has more unsent data than its upper limit
    _producer_paused = False
    _write_closing = False
    _write_closed = False
    _all_sent_scheduled = False  # a call of `_all_sent` is scheduled

    def __init__(self) -> None:
        self.connected = 0
        self.disconnecting = 0
        self.producer: Any = None

    # Called by uvloop

    def pause_writing(self) -> None:
        """Pause a push producer: uvloop has more unsent data than its upper limit."""
        self._writing_paused = True
        if self.producer is not None and self.streamingProducer:
            self._producer_paused = True
            self._guard(self.producer.pauseProducing)

    def resume_writing(self) -> None:
        """Continue: uvloop's unsent data has fallen to its lower limit.

        That limit is 0 after `_watch_for_all_sent`.
        """
        self._writing_paused = False
        if not self._all_sent_scheduled:
            self._all_sent()

    # After everything has been sent

    def _all_sent(self) -> None:
        """Resume the producer, or close or half-close the connection if that was requested."""
        self._all_sent_scheduled = False
        if self._writing_paused or not self.connected:
            return
        if self.producer is not None and (self._producer_paused or not self.streamingProducer):
            self._producer_paused = False
            self._guard(self.producer.resumeProducing)
        elif self.disconnecting:
            self._uv.close()
        elif self._write_closing:
            self._close_write_side()

    def _watch_for_all_sent(self) -> None:
        """From now on, call `_all_sent` whenever everything has been sent."""
        if not self._write_closed:
            self._set_writer(WatchedWriter(self))
            self._uv.set_write_buffer_limits(high=0)

    def _schedule_all_sent(self) -> None:
        # While writing is paused, uvloop calls resume_writing later, which calls `_all_sent`.
        if not (self._writing_paused or self._all_sent_scheduled):
            self._all_sent_scheduled = True
            self.loop.call_soon(self._all_sent)

    def _set_writer(self, writer: Any) -> None:
        self._writer = writer

    def _guard(self, call: Callable[..., object], *args: object) -> None:
        """Call code of the protocol or producer. If it raises, log that, and end the connection."""
        try:
            call(*args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - any exception
            log.failure("Unhandled Error")
            self.connectionLost(Failure(error))

    def connectionLost(self, reason: Failure) -> None:
        """End the connection for `reason`. `TCPTransport` implements this."""
        raise NotImplementedError

    # ITransport, ITCPTransport

    def write(self, data: ReadableBuffer) -> None:
        """Send `data`, at once as far as the system accepts it. The rest is a copy.

        Raises TypeError if `data` is not bytes-like.
        """
        if type(data) is not bytes:
            data = to_bytes(data)
        self._writer.write(data)

    def writeSequence(self, iovec: Iterable[ReadableBuffer]) -> None:
        """Send several pieces of data in one write.

        Raises TypeError if a piece is not bytes-like.
        """
        self.write(join(iovec))

    def loseConnection(self) -> None:
        """Close the connection after everything has been sent.

        A paused push producer, or any pull producer, is resumed first, and its data is sent too.
        """
        if self.connected and not self.disconnecting:
            self.disconnecting = 1
            self._uv.pause_reading()
            if self._write_closed:
                self.connectionLost(Failure(ConnectionDone()))
            else:
                self._watch_for_all_sent()
                self._schedule_all_sent()

    def loseWriteConnection(self) -> None:
        """Half-close the connection after everything has been sent."""
        if self.connected and not (self._write_closing or self._write_closed):
            self._write_closing = True
            self._watch_for_all_sent()
            self._schedule_all_sent()

    def _close_write_side(self) -> None:
        self._write_closing = False
        self._write_closed = True
        self._set_writer(NullWriter)
        self._uv.write_eof()
        protocol = IHalfCloseableProtocol(self._protocol, None)
        if protocol is not None:
            self._guard(protocol.writeConnectionLost)

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from `producer` until it is unregistered, as IConsumer defines.

        If `streaming` is true, it is a push producer, which is paused while too much data is
        unsent. Otherwise it is a pull producer, which is asked for data each time everything has
        been sent. Raises RuntimeError if another producer is registered.
        """
        if self.producer is not None:
            raise RuntimeError(f"the connection's producer {self.producer} was never unregistered")
        if not self.connected:
            producer.stopProducing()
            return
        self.producer = producer
        if self.streamingProducer != bool(streaming):
            self.streamingProducer = bool(streaming)
        if not streaming:
            self._watch_for_all_sent()
            producer.resumeProducing()
        elif self._writing_paused:
            self._producer_paused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Unregister the producer. A close or half-close that waited for this can then happen."""
        self.producer = None
        if not self.connected:
            return
        if self.disconnecting or self._write_closing:
            self._schedule_all_sent()
        elif not (self.streamingProducer or self._write_closed):
            self.streamingProducer = True
            self._set_writer(self._uv)
            self._uv.set_write_buffer_limits(high=UPPER_LIMIT, low=0)

    def stopConsuming(self) -> None:
        """Unregister the producer, and close the connection after everything has been sent."""
        self.unregisterProducer()
        self.loseConnection()

    def stopProducing(self) -> None:
        """Close the connection after everything has been sent."""
        self.loseConnection()


class WatchedWriter:
    """The writer of a sender whose `_all_sent` must be called whenever everything has been sent."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def write(self, data: bytes) -> None:
        """Send `data`, and schedule `_all_sent`."""
        self._sender._uv.write(data)
        self._sender._schedule_all_sent()


class NullWriter:
    """The writer of a connection that can no longer send."""

    @staticmethod
    def write(data: bytes) -> None:
        """Drop `data`."""
