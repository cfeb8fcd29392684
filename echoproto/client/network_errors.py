"""Translates what goes wrong on the network into a NetworkError: one line for a person."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from echoproto.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from echoproto.client.target import Target

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

# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL.
_ANOTHER_NAME: Final = (62, 64)


@asynccontextmanager
async def connecting(target: Target, timeout: float | None) -> AsyncIterator[None]:  # noqa: ASYNC109
    """What goes wrong in the block, or takes longer than `timeout` seconds, is a NetworkError."""
    what = f"cannot connect to {target.name}"
    try:
        async with asyncio.timeout(timeout):
            with tls_errors(what):
                yield
    except socket.gaierror as error:
        raise NetworkError(f"cannot find host {target.host}: {error.strerror}") from None
    except (OSError, UnicodeError) as error:
        # The system's own timeout has an errno, ours has not.
        ours = isinstance(error, TimeoutError) and not error.errno
        why = f"no answer in {timeout:g} seconds" if ours else reason(error)
        raise NetworkError(f"{what}: {why}") from None


@contextmanager
def tls_errors(what: str) -> Iterator[None]:
    """What TLS refuses in the block is a NetworkError, which begins with `what`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _ANOTHER_NAME:
            why, hint = "is for another name", "-k takes any"
        else:
            why, hint = "is not trusted", "SSL_CERT_FILE names one that is; -k takes any"
        raise NetworkError(
            f"{what}: its certificate {why}: {error.verify_message} ({hint})"
        ) from None
    except ssl.SSLError as error:
        code = error.reason or "UNKNOWN_ERROR"
        why = _REASONS.get(code) or f"TLS: {code.lower().replace('_', ' ')}"
        raise NetworkError(f"{what}: {why}") from None


def reason(error: Exception) -> str:
    """What the system calls the error, without the words that asyncio puts around it."""
    number = getattr(error, "errno", None)
    if not number and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # several addresses were tried, each with its own error: the first
    return os.strerror(number) if number else str(error)
