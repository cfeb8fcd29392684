"""Turns every failure of the network into a NetworkError, whose message is one line for the user.

`opening` and `connection` use this module.
"""

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
    from collections.abc import AsyncIterator, Iterator, Mapping

    from echoproto.client.target import Target

# OpenSSL's names for errors, and what they mean for the user during the handshake.
_NOT_TLS: Final = "it does not speak TLS"
_REASONS: Final = {
    "HTTP_REQUEST": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "UNEXPECTED_MESSAGE": _NOT_TLS,
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": "it supports none of our TLS versions",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it requires a client certificate",
    "UNEXPECTED_EOF_WHILE_READING": "it closed during the TLS handshake",
}

# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_ANOTHER_NAME: Final = (62, 64)


@asynccontextmanager
async def connecting(target: Target, timeout: float | None) -> AsyncIterator[None]:  # noqa: ASYNC109
    """Raise NetworkError if the block fails or takes longer than `timeout` seconds."""
    what = f"cannot connect to {target.name}"
    try:
        async with asyncio.timeout(timeout):
            with tls_errors(what, _REASONS):
                yield
    except socket.gaierror as error:
        raise NetworkError(f"cannot find host {target.host}: {error.strerror}") from None
    except (OSError, UnicodeError) as error:
        # The system's timeout has an errno; that of asyncio.timeout does not.
        is_ours = isinstance(error, TimeoutError) and not error.errno
        why = f"no answer in {timeout:g} seconds" if is_ours else reason(error)
        raise NetworkError(f"{what}: {why}") from None


@contextmanager
def tls_errors(what: str, reasons: Mapping[str, str] | None = None) -> Iterator[None]:
    """Raise NetworkError if TLS fails in the block; its message begins with `what`.

    `reasons` translates OpenSSL's names for errors.
    """
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _ANOTHER_NAME:
            why, hint = "is for another name", "-k accepts any certificate"
        else:
            why = "is not trusted"
            hint = "SSL_CERT_FILE names a file of certificates to trust; -k accepts any certificate"
        raise NetworkError(
            f"{what}: its certificate {why}: {error.verify_message} ({hint})"
        ) from None
    except ssl.SSLError as error:
        code = error.reason or "UNKNOWN_ERROR"
        why = (reasons or {}).get(code) or f"TLS: {code.lower().replace('_', ' ')}"
        raise NetworkError(f"{what}: {why}") from None


def reason(error: Exception) -> str:
    """Return the system's text for the error, without the words that asyncio adds to it."""
    number = getattr(error, "errno", None)
    if not number and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # asyncio lists an error for each address: take the first
    return os.strerror(number) if number else str(error)
