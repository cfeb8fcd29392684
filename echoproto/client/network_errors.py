"""Turns every failure of the network into a NetworkError, whose message is one line for the user.

`opening` and `connection` use this module.
"""

from __future__ import annotations

import asyncio
import errno
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
    except (OSError, UnicodeError) as error:
        if wrong_zone := _wrong_zone(target, error):
            raise NetworkError(f"{what}: {wrong_zone}") from None
        if isinstance(error, socket.gaierror):
            raise NetworkError(f"cannot find host {target.host}: {error.strerror}") from None
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
    number = _errno(error)
    return os.strerror(number) if number else str(error)


def _errno(error: Exception) -> int:
    number = getattr(error, "errno", None)
    if not number and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # asyncio lists an error for each address: take the first
    return number or 0


def _wrong_zone(target: Target, error: Exception) -> str:
    """Return what is wrong with the zone of the target's IPv6 address, or "" if it is not that.

    Where the zone is missing or does not exist, the system's words mislead: "Invalid argument".
    """
    interfaces = {str(word) for interface in socket.if_nameindex() for word in interface}
    there_are = f"the interfaces are {', '.join(name for _, name in socket.if_nameindex())}"
    if target.zone and target.zone not in interfaces:
        return f"there is no network interface {target.zone!r}; {there_are}"
    is_link_local = re.match("fe[89ab].:", target.host, re.IGNORECASE)  # RFC 4291, section 2.5.6
    if is_link_local and not target.zone and _errno(error) == errno.EINVAL:
        return f"a link-local address needs an interface: {target.host}%INTERFACE; {there_are}"
    return ""
