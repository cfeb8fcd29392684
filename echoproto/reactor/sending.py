"""`Sender`: the half of a connection that sends, on a uvloop transport.

What is written goes out at once where the system takes it, and all else follows from what it does
not take: producers are paused and resumed, and a connection closes once all is sent. It does as
Twisted's `abstract.FileDescriptor` does, where `_sent` is the end of `doWrite`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable, Iterable

    from echoproto.reactor.loop import Loop

log = Logger()


class Sender:
    """Sends; `TCPTransport` has the rest.

    `_writer` is what `write` goes to: uvloop's transport, for as long as that is right.
    """

    # What every connection has is in slots; __dict__ is made for one that needs more.
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
    _full = False  # more is unsent than there should be
    _producer_paused = False
    _write_closing = False
    _write_closed = False
    _sent_is_due = False

    def __init__(self) -> None:
        self.connected = 0
        self.disconnecting = 0
        self.producer: Any = None

    # What uvloop calls

    def pause_writing(self) -> None:
        """Too much is unsent."""
        self._full = True
        if self.producer is not None and self.streamingProducer:
            self._producer_paused = True
            self._guard(self.producer.pauseProducing)

    def resume_writing(self) -> None:
        """All is sent."""
        self._full = False
        if not self._sent_is_due:
            self._sent()

    # What happens once all is sent

    def _sent(self) -> None:
        """Ask a producer for more, or close."""
        self._sent_is_due = False
        if self._full or not self.connected:
            return
        if self.producer is not None and (self._producer_paused or not self.streamingProducer):
            self._producer_paused = False
            self._guard(self.producer.resumeProducing)
        elif self.disconnecting:
            self._uv.close()
        elif self._write_closing:
            self._close_write_side()

    def _watch_sending(self) -> None:
        """From now on, call `_sent` whenever all is sent."""
        if not self._write_closed:
            self._write_to(WatchedWriter(self))
            self._uv.set_write_buffer_limits(high=0)

    def _sent_soon(self) -> None:
        if not (self._full or self._sent_is_due):  # if full, resume_writing will be called
            self._sent_is_due = True
            self.loop.call_soon(self._sent)

    def _write_to(self, writer: Any) -> None:
        self._writer = writer

    def _guard(self, call: Callable[..., object], *args: object) -> None:
        """Call what is not ours; if it raises, log that, and lose the connection."""
        try:
            call(*args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it raises
            log.failure("Unhandled Error")
            self.connectionLost(Failure(error))

    def connectionLost(self, reason: Failure) -> None:
        """The connection is lost."""
        raise NotImplementedError

    # ITransport, ITCPTransport

    def write(self, data: bytes) -> None:
        """Send data, now where the system takes it. Raises TypeError where it is not bytes."""
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        self._writer.write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write data that is in pieces. Raises TypeError where one is not bytes."""
        self.write(join(iovec))

    def loseConnection(self) -> None:
        """Close the connection, once all is sent, and what a paused producer still gives."""
        if self.connected and not self.disconnecting:
            self.disconnecting = 1
            self._uv.pause_reading()
            if self._write_closed:
                self.connectionLost(Failure(ConnectionDone()))
            else:
                self._watch_sending()
                self._sent_soon()

    def loseWriteConnection(self) -> None:
        """Half-close the connection, once all is sent."""
        if self.connected and not (self._write_closing or self._write_closed):
            self._write_closing = True
            self._watch_sending()
            self._sent_soon()

    def _close_write_side(self) -> None:
        self._write_closing = False
        self._write_closed = True
        self._write_to(NullWriter)
        self._uv.write_eof()
        protocol = IHalfCloseableProtocol(self._protocol, None)
        if protocol is not None:
            self._guard(protocol.writeConnectionLost)

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from a producer until it is unregistered.

        Raises RuntimeError if there is one already.
        """
        if self.producer is not None:
            raise RuntimeError(f"producer {self.producer} was never unregistered")
        if not self.connected:
            producer.stopProducing()
            return
        self.producer = producer
        if self.streamingProducer != bool(streaming):
            self.streamingProducer = bool(streaming)
        if not streaming:
            self._watch_sending()
            producer.resumeProducing()
        elif self._full:
            self._producer_paused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Take no more from the producer."""
        self.producer = None
        if not self.connected:
            return
        if self.disconnecting or self._write_closing:
            self._sent_soon()
        elif not (self.streamingProducer or self._write_closed):
            self.streamingProducer = True
            self._write_to(self._uv)
            self._uv.set_write_buffer_limits()

    def stopConsuming(self) -> None:
        """Be done with the producer, and close."""
        self.unregisterProducer()
        self.loseConnection()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()


class WatchedWriter:
    """Writes for a sender that is told whenever all is sent."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def write(self, data: bytes) -> None:
        """Send data."""
        self._sender._uv.write(data)
        self._sender._sent_soon()


class NullWriter:
    """Where the writes of a connection go that takes nothing any more."""

    @staticmethod
    def write(data: bytes) -> None:
        """Drop data."""


def join(pieces: Iterable[bytes]) -> bytes:
    """The pieces as one. Raises TypeError where one is not bytes."""
    try:
        return b"".join(pieces)
    except TypeError:
        raise TypeError("Data must be bytes") from None
