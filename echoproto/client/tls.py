"""TLS for the client: the context, and why a handshake failed, in words that help the user.

`wire.tls`, asyncio and uvloop all make their TLS objects by `SSLContext.wrap_bio`, and all pass on
the exception of `do_handshake`. Therefore the explanation is made there, where the certificate and
the bytes of the peer are known, and travels as a note of the exception (PEP 678). `tls_reason`
reads it.

`opening` and `connection` use the context, and `network_errors` uses the reasons.
"""

from __future__ import annotations

import os
import ssl
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final

from echoproto.wire.dump import escape

if TYPE_CHECKING:
    from echoproto.client.target import Target

_MAX_SHOWN: Final = 60  # bytes of a greeting
_MAX_NAMES: Final = 10  # of a certificate

_NOT_TLS: Final = "it does not speak TLS"

# OpenSSL's names for errors, and what they mean for the user.
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

# How protocols that begin in the clear greet, and where their servers speak TLS from the start
# (RFC 8314; IANA's register of ports). The first that matches counts.
_GREETINGS: Final = (
    (b"220", b"FTP", "FTP", 990),
    (b"220", b"", "SMTP", 465),
    (b"* OK", b"", "IMAP", 993),
    (b"+OK", b"", "POP3", 995),
)

TLS_PORTS: Final = frozenset((443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 5061, 6697, 8443))
"""Ports on which servers speak TLS from the start (IANA's register; 6697 is RFC 7194).

HTTPS, mail and news, LDAP, DNS, FTP, telnet, IMAP, POP3, SIP, IRC, and HTTPS once more.
"""

_OUR_HELLO: Final = b"\x16\x03", b"\x01"
"""A record with a handshake, and a ClientHello in it (RFC 8446, sections 5.1 and 4)."""

# OpenSSL's X509_V_ERR_...: the causes that have words of their own.
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED, _UNKNOWN_ROOT, _UNKNOWN_ISSUER, _NO_CHAIN = 18, 19, 20, 21
_ANOTHER_NAME: Final = (62, 64)

_ANY: Final = "-k accepts any certificate"


def tls_context(target: Target, *, insecure: bool) -> ssl.SSLContext | None:
    """Return the TLS context for `target`, or None if `target` does not use TLS.

    The context trusts the certificates that the system trusts, and those in the file or the folder
    that the environment variables SSL_CERT_FILE and SSL_CERT_DIR name. With `insecure`, it accepts
    any certificate.

    Raises OSError if what these variables name cannot be read: OpenSSL would say nothing, and trust
    nobody.
    """
    if not target.is_tls:
        return None
    # The settings of ssl.create_default_context, which cannot make a context of another class.
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if keys := os.environ.get("SSLKEYLOGFILE"):
        context.keylog_filename = keys
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_default_certs()
        _check_trusted(context)
    return context


def tls_reason(error: ssl.SSLError) -> str:
    """Return why TLS failed."""
    code = error.reason or "UNKNOWN_ERROR"
    told = [*getattr(error, "__notes__", ()), _REASONS.get(code)]
    return told[0] or f"TLS: {code.lower().replace('_', ' ')}"


def is_tls_alert(data: bytes) -> bool:
    """Whether `data` is an alert in the clear, as a TLS server answers plain text (RFC 8446, 6)."""
    return len(data) == 7 and data[:2] == b"\x15\x03" and data[3:5] == b"\0\2"  # noqa: PLR2004


def tls_hint(target: Target, first: bytes) -> str:
    """Return what to add to the message when `target`, to which plain text was sent, has ended.

    `first` is what arrived first, up to 8 bytes. The result is empty if nothing hints at TLS.
    """
    if target.path or target.is_tls:
        return ""
    if is_tls_alert(first):
        return " (it answered with a TLS alert, so it speaks TLS; give tls://)"
    return "" if first else " (before it sent anything; if it speaks TLS, give tls://)"


def usual_tls(target: Target) -> Target | None:
    """Return `target` as a target of TLS, if it does not use TLS and its port usually does."""
    if target.path or target.is_tls or target.port not in TLS_PORTS:
        return None
    return replace(target, scheme="telnets" if target.is_telnet else "tls")


class _TLSObject(ssl.SSLObject):
    """A TLS object that adds a note to the exception of a handshake that fails."""

    incoming: ssl.MemoryBIO
    _arrived = b""  # the peer's first bytes

    def do_handshake(self) -> None:
        """See ssl.SSLObject."""
        if new := self.incoming.read():
            self.incoming.write(new)
            self._arrived += new[: _MAX_SHOWN - len(self._arrived)]
        try:
            super().do_handshake()
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLCertVerificationError as error:
            error.add_note(_not_verified(error, self._certificate()))
            raise
        except ssl.SSLError as error:
            if _REASONS.get(error.reason or "") == _NOT_TLS:
                error.add_note(_not_tls(self._arrived))
            raise

    def _certificate(self) -> dict[str, Any]:
        """Return the peer's certificate as `getpeercert` does, although it is not verified.

        Python has no public way before 3.13, and there only in DER. Without the certificate, the
        explanation is shorter.
        """
        with suppress(AttributeError, IndexError, TypeError):
            chain = self._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
            found: dict[str, Any] = chain[0].get_info()
            return found
        return {}


class _Context(ssl.SSLContext):
    sslobject_class = _TLSObject

    def wrap_bio(self, incoming: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """See ssl.SSLContext."""
        tls = super().wrap_bio(incoming, *args, **kwargs)
        if isinstance(tls, _TLSObject):
            tls.incoming = incoming
        return tls


def _check_trusted(context: ssl.SSLContext) -> None:
    paths = ssl.get_default_verify_paths()
    if file := os.environ.get(paths.openssl_cafile_env):
        try:
            Path(file).open("rb").close()
        except OSError as error:
            raise OSError(f"SSL_CERT_FILE={file}: {error.strerror}") from None
        if not context.cert_store_stats()["x509"]:
            raise OSError(f"SSL_CERT_FILE={file}: there is no certificate in PEM format")
    for folder in filter(None, os.environ.get(paths.openssl_capath_env, "").split(os.pathsep)):
        try:
            os.scandir(folder).close()
        except OSError as error:
            raise OSError(f"SSL_CERT_DIR={folder}: {error.strerror}") from None


def _not_verified(error: ssl.SSLCertVerificationError, certificate: dict[str, Any]) -> str:
    file = os.environ.get("SSL_CERT_FILE")
    now = f", now {file}" if file else ""
    trust = f"SSL_CERT_FILE names a file of certificates to trust{now}"
    issuer = _name(certificate.get("issuer", ()))
    match error.verify_code:
        case code if code in _ANOTHER_NAME:
            names = [escape(name.encode()) for _, name in certificate.get("subjectAltName", ())]
            more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
            whose = ", ".join(names[:_MAX_NAMES]) + more or "none that can be checked"
            return f"its certificate is for another name: {whose} ({_ANY})"
        case code if code in (_EXPIRED, _NOT_YET_VALID):
            key, verb = ("notAfter", "expired") if code == _EXPIRED else ("notBefore", "begins")
            date = certificate.get(key, "")
            # Another certificate of the chain may be the one.
            is_this = bool(date) and (ssl.cert_time_to_seconds(date) < time()) == (code == _EXPIRED)
            when = f"it {verb} on {date}" if is_this else f"{error.verify_message}, in its chain"
            why = "has expired" if code == _EXPIRED else "is not valid yet"
            return (
                f"its certificate {why}: {when}; if the clock of this machine is right, the server "
                f"needs another one ({_ANY})"
            )
        case code if code == _SELF_SIGNED:
            return f"its certificate is not trusted: it is self-signed ({trust}; {_ANY})"
        case code if code in (_UNKNOWN_ROOT, _UNKNOWN_ISSUER, _NO_CHAIN):
            chain = "" if code == _UNKNOWN_ROOT else ", or the server does not send all its chain"
            return (
                f"its certificate is not trusted: this system does not know its issuer, "
                f"{issuer or 'which is not named'}{chain} ({trust}; {_ANY})"
            )
    return f"its certificate is not trusted: {error.verify_message} ({_ANY})"


def _name(fields: Any) -> str:
    """Return the most telling part of an issuer's name, as `getpeercert` has it."""
    found = dict(field for group in fields for field in group)
    wanted = ("commonName", "organizationalUnitName", "organizationName")
    name = next((found[key] for key in wanted if key in found), "")
    return f"'{escape(name.encode())}'" if name else ""


def _not_tls(arrived: bytes) -> str:
    shown = f"'{escape(arrived[:_MAX_SHOWN])}'"
    record, hello = _OUR_HELLO
    if arrived.startswith(record) and arrived[5:6] == hello:
        return f"{_NOT_TLS}: it sends back what we send, as an echo server does; give tcp://"
    if arrived.startswith(b"\xff"):
        return f"{_NOT_TLS}: it may speak telnet in the clear; give telnet:// ({shown})"
    for begins, has, protocol, port in _GREETINGS:
        if arrived.startswith(begins) and has in arrived:
            return (
                f"{_NOT_TLS} from the start: it speaks {protocol} in the clear first, and may want "
                f"STARTTLS; with TLS from the start, {protocol} is on port {port} ({shown})"
            )
    return f"{_NOT_TLS}: it sends {shown}; give tcp:// if that is right"
