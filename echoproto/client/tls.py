"""A connection through TLS, on the same socket calls: the TLS itself is done in memory.

So it can do what asyncio's transports can not: end its own side with close_notify, and go on
receiving (RFC 8446, 6.1).
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

from echoproto.client.connection import CHUNK, Connection, NetworkError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from echoproto.client.target import Target

T = TypeVar("T")

# What OpenSSL calls it, for what a person meets.
_NOT_TLS: Final = "it does not speak TLS"
_REASONS: Final = {
    "HTTP_REQUEST": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "UNEXPECTED_MESSAGE": _NOT_TLS,
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": "it has no version of TLS in common with us",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of the client",
    "UNEXPECTED_EOF_WHILE_READING": "it closed during the TLS handshake",
}


def tls_context(*, insecure: bool) -> ssl.SSLContext:
    """What a client trusts: what the system does; or with `insecure`, anyone."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def tls_errors(what: str) -> Iterator[None]:
    """What TLS refuses in the block is a NetworkError, which begins with `what`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not trusted: {error.verify_message} "
        why += "(SSL_CERT_FILE names one that is; -k takes any)"
        raise NetworkError(f"{what}: {why}") from None
    except ssl.SSLError as error:
        reason = error.reason or "UNKNOWN_ERROR"
        why = _REASONS.get(reason) or f"TLS: {reason.lower().replace('_', ' ')}"
        raise NetworkError(f"{what}: {why}") from None


class TLSConnection(Connection):
    """An open connection through TLS, once `handshake` has returned.

    The peer's certificate must be trusted by the system (`SSL_CERT_FILE` names more that are), and
    be the target's, unless `insecure`.
    """

    def __init__(self, target: Target, sock: socket.socket, *, insecure: bool = False) -> None:
        super().__init__(target, sock)
        context = tls_context(insecure=insecure)
        self._arrived, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._to_send, server_hostname=target.host)
        self._sending = asyncio.Lock()

    async def handshake(self) -> None:
        """Agree on keys, and check who the peer is. Raises NetworkError."""
        with tls_errors(f"cannot connect to {self.target.name}"):
            await self._when_ready(self._tls.do_handshake)

    async def receive(self) -> bytes:
        """What has arrived; no byte once the peer has ended TLS, or TCP."""
        with tls_errors(self.target.name), suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return await self._when_ready(lambda: self._tls.read(CHUNK))
        return b""

    async def send(self, data: bytes) -> bool:
        """Send `data`; False if the peer has closed. Raises NetworkError."""
        with tls_errors(self.target.name):
            self._tls.write(data)
        return await self._flush()

    async def send_eof(self) -> None:
        """Tell the peer that it has the last byte, by close_notify, and go on receiving."""
        unread = self._arrived.read()
        with suppress(ssl.SSLError):  # it wants to read the peer's own, and for that is `receive`
            self._tls.unwrap()
        if unread:
            self._arrived.write(unread)
        with suppress(NetworkError):
            await self._flush()

    async def _when_ready(self, operation: Callable[[], T]) -> T:
        """The result of `operation`, once enough has arrived for it."""
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                pass
            finally:
                if not self._sending.locked():  # whoever holds it sends this too
                    await self._flush()
            if data := await super().receive():
                self._arrived.write(data)
            else:
                self._arrived.write_eof()

    async def _flush(self) -> bool:
        """Send what TLS wants to be sent."""
        async with self._sending:
            while data := self._to_send.read():
                if not await super().send(data):
                    return False
        return True
