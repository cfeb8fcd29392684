"""TLS as a layer, for both sides, on the standard library's `ssl.MemoryBIO`. No I/O.

Three things are done otherwise than by most who use OpenSSL:

- The two directions end each by itself (RFC 8446, section 6.1): after `Ended` one can still send,
  and after `finish` still receive.
- What is sent while OpenSSL cannot encrypt it waits here: before the handshake is done, and in TLS
  1.2 while keys are renegotiated. It goes out, as a Reply, once that is over.
- OpenSSL is asked for data only where something has arrived that it has not looked at. To ask until
  it says that there is no more would cost an exception for every message.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.wire.layer import DataReceived, Ended, Layer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD: Final = 2**14
"""Bytes of data in a record, at most (RFC 8446, section 5.1): one read takes a record whole."""

_PIECE: Final = 4 * _RECORD
"""Bytes that are encrypted at a time: OpenSSL's buffer grows to what it held once, and stays so."""


class HandshakeCompleted(NamedTuple):
    """Keys are agreed, and certificates are checked: from now on data goes both ways."""


class TLS(Layer):
    """One end of a TLS connection. `server_hostname` is who a client wants to talk to.

    A client begins: its first message is the Reply that `receive(b"")` gives. Where the peer, or
    its certificate, is not as it should be, `receive` and `eof` give the Reply that tells it so, if
    OpenSSL has one, and raise ssl.SSLError; after that the connection is only to be closed.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side, None if server_side else server_hostname
        )
        self.is_established = False
        """The handshake is done."""
        self.is_finished = False
        """We have ended our side: close_notify was given out."""
        self.received = 0
        """Bytes of data that have come, decrypted."""
        self._can_send = False  # at once: nothing waits, and `finish` was not called
        self._is_ending = False  # `finish` was called
        self._tcp_has_ended = False  # `eof` was called
        self._has_ended = False  # `Ended` was given
        self._pending = b""  # to be encrypted once that is possible
        self._pending_error: ssl.SSLError | None = None  # what `take` met in place of data

    @property
    def pending(self) -> int:
        """Bytes that were sent and cannot be encrypted yet: the peer can make that last."""
        return len(self._pending)

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Take `data`, at once; give what it holds, a record at a time."""
        if data and not self._has_ended:  # what comes later is ignored (RFC 8446, section 6.1)
            self._incoming.write(data)
        return self._find_events()

    def take(self, data: bytes) -> bytes | None:
        """Take `data`; return what it holds, if it is simply a record of data or a part of one.

        A message is nearly always one record, and this is all that it costs. If None is returned,
        or `has_more` is true then, `receive(b"")` has the rest.
        """
        incoming = self._incoming
        if incoming.pending or self._has_ended or not self._can_send:
            self.receive(data)  # which takes it
            return None
        incoming.write(data)
        try:
            plain = self._tls.read(_RECORD)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            self._pending_error = error
            return None
        self.received += len(plain)
        if not plain:
            self._pending_error = ssl.SSLZeroReturnError()
        return plain or None

    @property
    def has_more(self) -> bool:
        """Whether `receive(b"")` gives something, after `take`."""
        return bool(self._incoming.pending or self._outgoing.pending)

    def eof(self) -> Iterator[NamedTuple]:
        """TCP has ended. If TLS has not, then anyone may have cut the connection off."""
        self._tcp_has_ended = True
        return self._find_events()

    def send(self, data: bytes) -> bytes:
        """Encrypt `data`. What is sent after `finish` is dropped. Raises ssl.SSLError."""
        if self._can_send and 0 < len(data) <= _PIECE:
            try:
                self._tls.write(data)
                return self._outgoing.read()
            except ssl.SSLWantReadError:
                self._can_send = False
        if not self._is_ending:
            self._pending += data
        return self._encrypt_pending()

    def finish(self) -> bytes:
        """End our side with close_notify, after all that waits."""
        self._is_ending, self._can_send = True, False
        return self._encrypt_pending()

    def _find_events(self) -> Iterator[NamedTuple]:
        incoming, outgoing = self._incoming, self._outgoing
        if not self.is_established:
            yield from self._shake_hands()
        if self._pending_error is not None:
            error, self._pending_error = self._pending_error, None
            yield from self._without_data(error)
        while True:
            # What OpenSSL answers of itself (new keys, for one) is given after the data that came
            # with it, not before: if the iterator is dropped there, nothing is lost. The order on
            # the wire is the same, as it also leaves with what the application sends meanwhile.
            if (outgoing.pending or not self._can_send) and (reply := self._encrypt_pending()):
                yield Reply(reply)
            if not incoming.pending or not self.is_established:
                break
            try:
                plain = self._tls.read(_RECORD)
            except ssl.SSLError as error:
                yield from self._without_data(error)
            else:
                self.received += len(plain)
                yield DataReceived(plain) if plain else self._end(clean=True)
        if self._tcp_has_ended and not self.is_established:
            incoming.write_eof()
            yield from self._shake_hands()  # which raises what OpenSSL calls that
        elif self._tcp_has_ended and not self._has_ended:
            yield self._end(clean=False)

    def _shake_hands(self) -> Iterator[NamedTuple]:
        """Go on with the handshake, as far as what has arrived lets it."""
        try:
            self._tls.do_handshake()
        except ssl.SSLError as error:
            yield from self._without_data(error)
        else:
            self.is_established = True
            yield HandshakeCompleted()

    def _without_data(self, error: ssl.SSLError) -> Iterator[NamedTuple]:
        """Act on what OpenSSL raises where there is no data for us."""
        match error:
            case ssl.SSLWantReadError():
                pass  # a record is not whole, or it was none of data
            case ssl.SSLZeroReturnError():
                yield self._end(clean=True)  # so OpenSSL says it where we have ended too
            case _:
                if self._outgoing.pending:
                    yield Reply(self._outgoing.read())
                raise error

    def _end(self, *, clean: bool) -> Ended:
        self._has_ended = True
        self._incoming.read()
        return Ended(clean)

    def _encrypt_pending(self) -> bytes:
        """Encrypt what waits, then end our side if that is asked for; as far as OpenSSL lets us.

        Returns all that is to be sent, also what OpenSSL itself has to say.
        """
        if not self.is_established:
            return self._outgoing.read()
        pieces, waiting, done = [], memoryview(self._pending), 0
        with suppress(ssl.SSLWantReadError):
            while done < len(waiting):
                self._tls.write(waiting[done : done + _PIECE])
                done += _PIECE
                pieces.append(self._outgoing.read())
        self._pending = self._pending[done:]
        self._can_send = not self._pending and not self._is_ending
        if self._is_ending and not self._pending and not self.is_finished:
            self._notify_close()
        return b"".join([*pieces, self._outgoing.read()])

    def _notify_close(self) -> None:
        """Give out close_notify. OpenSSL then reads, and would drop data: so it finds none."""
        unread = self._incoming.read()
        try:
            self._tls.unwrap()
            self.is_finished = True
        except ssl.SSLWantReadError:
            self.is_finished = True  # what it misses is the peer's, and that is for `receive`
        except ssl.SSLError:
            pass  # while keys are renegotiated, it is not taken: later, then
        if unread:
            self._incoming.write(unread)
