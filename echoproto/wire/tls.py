"""TLS as a layer, for both sides, on `ssl.MemoryBIO` of the standard library. No I/O.

Three things differ from most programs that use OpenSSL:

- The two directions end separately (RFC 8446, section 6.1). The caller can still send after
  `Ended`, and still receives after `finish`.
- Data that OpenSSL cannot encrypt yet is kept here: before the handshake has completed, and, in TLS
  1.2, during renegotiation. It leaves as a `Reply` as soon as OpenSSL can encrypt it.
- The layer asks OpenSSL for data only while bytes have arrived that OpenSSL has not read. Asking
  until OpenSSL has no more data would cost an exception for each message.

`layer` defines the verbs. The pipelines of the server and the client put this layer at the bottom.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.wire.framing import END_OF_CR
from echoproto.wire.layer import DataReceived, Ended, Layer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

TLS_HANDSHAKE: Final = b"\x16"
"""First byte of a record that carries a handshake (RFC 8446, section 5.1)."""

_MAX_RECORD: Final = 2**14
"""Largest number of data bytes in a record (RFC 8446, section 5.1): one read takes a record."""

_MAX_WRITE: Final = 4 * _MAX_RECORD
"""Largest number of bytes to encrypt at a time. OpenSSL's buffer grows and never shrinks again."""


class HandshakeCompleted(NamedTuple):
    """The handshake has completed: keys are agreed and certificates are verified.

    From now on, data can go in both directions.
    """


class TLS(Layer):
    """One end of a TLS connection.

    `server_side` selects the server's role. `server_hostname` is the host name that the client
    connects to and verifies, if `context` checks host names; a server ignores it.

    Set `after_cr` if the last byte from the peer before TLS was a CR. An LF or NUL that arrives
    first then belongs to it, and is dropped: no TLS record begins with either.

    The client sends first: its first message is the `Reply` that `receive(b"")` yields. If the peer
    breaks the protocol or its certificate is not accepted, the iterators of `receive` and `eof`
    yield the alert for the peer as a `Reply`, if OpenSSL has one, and raise ssl.SSLError. Then the
    caller must close the connection.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
        after_cr: bool = False,
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side, None if server_side else server_hostname
        )
        self.is_established = False
        """Whether the handshake has completed."""
        self.is_finished = False
        """Whether the local side has ended: close_notify was returned or yielded."""
        self.received = 0
        """Number of decrypted bytes received."""
        self._can_send = False  # at once: nothing is pending, and `finish` was not called
        self._is_finishing = False  # `finish` was called
        self._tcp_has_ended = False  # `eof` was called
        self._has_ended = False  # `Ended` was yielded
        self._after_cr = after_cr
        self._pending = b""  # to be encrypted as soon as OpenSSL can
        self._pending_error: ssl.SSLError | None = None  # raised in `take`, for `receive` to handle

    @property
    def version(self) -> str:
        """The version of TLS and the cipher: "TLSv1.3, TLS_AES_256_GCM_SHA384"; "" before that."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()}, {cipher[0]}" if cipher else ""

    @property
    def pending(self) -> int:
        """Number of bytes passed to `send` that cannot be encrypted yet.

        The peer can delay them for as long as it delays a handshake.
        """
        return len(self._pending)

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Take `data` at once. Return its events, with one `DataReceived` for each record.

        The iterator raises ssl.SSLError.
        """
        if data and self._after_cr:
            self._after_cr = False
            data = data[data.startswith(END_OF_CR) :]
        if data and not self._has_ended:  # ignore data after close_notify (RFC 8446, section 6.1)
            self._incoming.write(data)
        return self._find_events()

    def take(self, data: bytes) -> bytes | None:
        """Take `data`, and return the decrypted bytes of the first record.

        Return b"" if that record is not complete yet, and None if only `receive` can handle it.
        After None, or while `has_more` is true, iterate over `receive(b"")` for the rest. A message
        is nearly always one record, and this method is then all that it costs.
        """
        incoming = self._incoming
        if incoming.pending or self._has_ended or not self._can_send:
            self.receive(data)  # takes `data`, although nothing uses the iterator
            return None
        incoming.write(data)
        try:
            plain = self._tls.read(_MAX_RECORD)
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
        """Whether `receive(b"")` yields more events, after `take`."""
        return bool(self._incoming.pending or self._outgoing.pending)

    def eof(self) -> Iterator[NamedTuple]:
        """Handle the end of the TCP stream. Return the pending events, then `Ended`.

        Without close_notify before it, `Ended.clean` is false, because a third party may have cut
        the connection off. The iterator raises ssl.SSLError if the handshake was not completed.
        """
        self._tcp_has_ended = True
        return self._find_events()

    def send(self, data: bytes) -> bytes:
        """Encrypt `data`, and return the bytes to pass down. Data after `finish` is dropped.

        Raises ssl.SSLError.
        """
        if self._can_send and 0 < len(data) <= _MAX_WRITE:
            try:
                self._tls.write(data)
                return self._outgoing.read()
            except ssl.SSLWantReadError:
                self._can_send = False
        if not self._is_finishing:
            self._pending += data
        return self._encrypt_pending()

    def finish(self) -> bytes:
        """End the local side with close_notify, after all pending data.

        Return the bytes to pass down.
        """
        self._is_finishing, self._can_send = True, False
        return self._encrypt_pending()

    def _find_events(self) -> Iterator[NamedTuple]:
        incoming, outgoing = self._incoming, self._outgoing
        if not self.is_established:
            yield from self._continue_handshake()
        if self._pending_error is not None:
            error, self._pending_error = self._pending_error, None
            yield from self._handle_error(error)
        while True:
            # OpenSSL has replies of its own (to a key update, for example). They are yielded after
            # the data that arrived with the request, not before: if the caller drops the iterator
            # at that data, no reply is lost. The order on the wire does not change, because `send`
            # also returns these replies, with anything that the application sends meanwhile.
            if (outgoing.pending or not self._can_send) and (reply := self._encrypt_pending()):
                yield Reply(reply)
            if not incoming.pending or not self.is_established:
                break
            try:
                plain = self._tls.read(_MAX_RECORD)
            except ssl.SSLError as error:
                yield from self._handle_error(error)
            else:
                self.received += len(plain)
                yield DataReceived(plain) if plain else self._end_receiving(clean=True)
        if self._tcp_has_ended and not self.is_established:
            incoming.write_eof()
            yield from self._continue_handshake()  # raises OpenSSL's error for this case
        elif self._tcp_has_ended and not self._has_ended:
            yield self._end_receiving(clean=False)

    def _continue_handshake(self) -> Iterator[NamedTuple]:
        """Continue the handshake with what has arrived. Raises ssl.SSLError."""
        try:
            self._tls.do_handshake()
        except ssl.SSLError as error:
            yield from self._handle_error(error)
        else:
            self.is_established = True
            yield HandshakeCompleted()

    def _handle_error(self, error: ssl.SSLError) -> Iterator[NamedTuple]:
        """Handle an error that OpenSSL raised in place of data; raise it if it is fatal."""
        match error:
            case ssl.SSLWantReadError():
                pass  # a record is not complete, or it carried no data
            case ssl.SSLZeroReturnError():
                # After our own close_notify, OpenSSL reports the peer's by this error.
                yield self._end_receiving(clean=True)
            case _:
                if self._outgoing.pending:
                    yield Reply(self._outgoing.read())
                raise error

    def _end_receiving(self, *, clean: bool) -> Ended:
        self._has_ended = True
        self._incoming.read()
        return Ended(clean)

    def _encrypt_pending(self) -> bytes:
        """Encrypt pending data, as far as OpenSSL can; after the last byte, end the local side.

        The local side ends only if `finish` was called. Return everything to send, including
        OpenSSL's own messages.
        """
        if not self.is_established:
            return self._outgoing.read()
        pieces, pending, done = [], memoryview(self._pending), 0
        with suppress(ssl.SSLWantReadError):
            while done < len(pending):
                self._tls.write(pending[done : done + _MAX_WRITE])
                done += _MAX_WRITE
                pieces.append(self._outgoing.read())
        self._pending = self._pending[done:]
        self._can_send = not self._pending and not self._is_finishing
        if self._is_finishing and not self._pending and not self.is_finished:
            self._write_close_notify()
        return b"".join([*pieces, self._outgoing.read()])

    def _write_close_notify(self) -> None:
        """Write close_notify.

        After that OpenSSL reads, and would drop any data that it reads. The bytes that it has not
        read yet are therefore removed before the call, and put back after it.
        """
        unread = self._incoming.read()
        try:
            self._tls.unwrap()
            self.is_finished = True
        except ssl.SSLWantReadError:
            self.is_finished = True  # only the peer's close_notify is missing: `receive` reads it
        except ssl.SSLError:
            pass  # OpenSSL cannot write it during renegotiation: a later call tries again
        if unread:
            self._incoming.write(unread)
