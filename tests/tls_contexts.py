"""What `startTLS` takes: a context of the standard library, for our TLS, and one of Twisted's."""

from __future__ import annotations

import ssl

from twisted.internet.ssl import PrivateCertificate


def our_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def twisteds_context(certificate):
    return PrivateCertificate.loadPEM(certificate.read_bytes()).options()
