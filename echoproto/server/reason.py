"""Why a connection has ended, in words for the log.

Reactors and TLS give many kinds of errors for a few things that can happen. Twisted's own reactors
do not pass on the error of the system: a client that does not answer any more is a reset there.
"""

from __future__ import annotations

import os
import re
from ssl import SSLError
from typing import TYPE_CHECKING, Final

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from echoproto.server.connection import ServerConnection

_ALERT: Final = re.compile(r"(?:tlsv\d+|sslv3|ssl/tls|tls) alert (.+)")
_NOISE: Final = re.compile(r"\[[^]]*\] ?| ?\(_ssl\.c:\d+\)")  # around the text of an SSLError


def why_it_ended(connection: ServerConnection, reason: Failure) -> str:  # noqa: PLR0911 - a table
    """Return in one line why `connection` has ended; `reason` is that of `connectionLost`."""
    error = reason.value
    if isinstance(error, ConnectionDone):
        return f"closed by the {'server' if connection.closed_by_us else 'client'}"
    if isinstance(error, ConnectionAborted):
        return "aborted by the server"
    if type(error) is ConnectionLost:
        error = error.__cause__ or ConnectionResetError()
    if isinstance(error, SSLError):
        return _tls_words(error.reason or _NOISE.sub("", str(error.args[-1])))
    if isinstance(error, ConnectionError):
        # A Unix socket that the client has closed is lost like this, and Twisted's TLS when the
        # client has closed without close_notify.
        return f"{'closed' if connection.read_lost else 'reset'} by the client"
    if isinstance(error, TimeoutError):
        return "timed out: the client does not answer"
    if isinstance(error, OSError) and error.errno is not None:
        return f"lost: {os.strerror(error.errno).lower()}"
    if type(error).__module__ == "OpenSSL.SSL":  # Twisted's TLS
        return _tls_words(*_openssl_reasons(error))
    return " ".join(reason.getErrorMessage().split())


def _openssl_reasons(error: BaseException | None) -> list[str]:
    """Return the reasons in an `OpenSSL.SSL.Error`, which holds (library, function, reason)."""
    match getattr(error, "args", ()):
        case ([*entries],):
            return [entry[-1] for entry in entries[:1]]
        case (_, str(text)):  # SysCallError
            return [text]
    return []


def _tls_words(reason: str = "failed") -> str:
    reason = reason.lower().replace("_", " ")
    if (alert := _ALERT.fullmatch(reason)) is None:
        return f"TLS: {reason}"
    if re.search(r"certificate|\bca\b", alert[1]):
        return f"TLS: the client does not accept the certificate ({alert[1]})"
    return f"TLS: the client gave up ({alert[1]})"
