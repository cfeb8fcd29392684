"""Why a connection has ended, in words: from real clients, on each reactor and listener."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from contextlib import suppress

import pytest
from OpenSSL import SSL
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionFdescWentAway,
    ConnectionLost,
)
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.reason import why_it_ended
from support import connect, receive_all, receive_exactly

RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, 0 seconds


@pytest.fixture(scope="module")
def listening(serve, certificate, tmp_path_factory):
    """A server on each kind of listener."""
    path = tmp_path_factory.mktemp("reason") / "sock"
    tls = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    where = ["127.0.0.1:0", f"unix:{path}", tls, f"{tls}:sslmethod=TLS_METHOD"]
    with serve(listen=where) as server:
        server.path = path
        yield server
        assert "Traceback" not in server.stop()


@pytest.fixture
def ends(listening):
    """Connect to a kind of listener, do something, and return why the connection ended."""

    def ends(kind, do):
        count = len(re.findall(r"disconnected", listening.log.text))
        if kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(listening.path))
        else:
            sock = connect(listening.ports[["tcp", "unix", "tls", "twisted's tls"].index(kind)])
        with sock, suppress(OSError):
            do(sock)
        found = listening.log.wait_for(r"disconnected: .* s: (.*)", count + 1)
        return found[count][1]

    return ends


def closes(sock):
    sock.sendall(b"hello")
    receive_exactly(sock, 5)


def half_closes(sock):
    closes(sock)
    sock.shutdown(socket.SHUT_WR)
    receive_all(sock)


def closes_without_reading(sock):
    sock.sendall(b"hello")
    assert sock.recv(5, socket.MSG_PEEK)


def resets(sock):
    closes(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize(
    ("kind", "do", "why"),
    [
        *[(kind, closes, "closed by the client") for kind in ("tcp", "unix")],
        *[(kind, half_closes, "closed by the client") for kind in ("tcp", "unix")],
        *[(kind, closes_without_reading, "reset by the client") for kind in ("tcp", "unix")],
        ("tcp", resets, "reset by the client"),
        ("unix", resets, "closed by the client"),  # a Unix socket cannot be reset
    ],
)
def test_how_a_client_ends_is_said(ends, kind, do, why):
    assert ends(kind, do) == why


def over_tls(do):
    def wrapped(sock):
        context = ssl._create_unverified_context()
        with context.wrap_socket(sock) as secure:
            do(secure)

    return wrapped


def speaks_http(sock):
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    receive_all(sock)


def trusts_nobody(sock):
    ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")


def has_no_cipher(sock):
    context = ssl._create_unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the certificate is not RSA
    context.wrap_socket(sock)


@pytest.mark.parametrize("kind", ["tls", "twisted's tls"])
@pytest.mark.parametrize(
    ("do", "why"),
    [
        (speaks_http, "TLS: http request"),
        (trusts_nobody, "TLS: the client does not accept the certificate (unknown ca)"),
        (has_no_cipher, "TLS: no shared cipher"),
        (over_tls(closes), "closed by the client"),
        (over_tls(resets), "reset by the client"),
    ],
)
def test_errors_of_tls_are_words(ends, kind, do, why):
    assert ends(kind, do) == why


def caused_by(number):
    error = ConnectionLost()
    error.__cause__ = OSError(number, "what the system says")
    return error


def tls_error(text, reason=None):
    error = ssl.SSLError(1, text)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConnectionDone(), "closed by the client"),
        (ConnectionAborted(), "aborted by the server"),
        (ConnectionLost("Connection lost"), "reset by the client"),
        (caused_by(errno.ECONNRESET), "reset by the client"),
        (caused_by(errno.EPIPE), "reset by the client"),
        (caused_by(errno.ETIMEDOUT), "timed out: the client does not answer"),
        (caused_by(errno.EHOSTUNREACH), "lost: no route to host"),
        (caused_by(errno.ENETUNREACH), "lost: network is unreachable"),
        (ConnectionFdescWentAway(), str(ConnectionFdescWentAway())),
        (OSError("no number"), "no number"),
        (RuntimeError("several\n  lines\tof it"), "several lines of it"),
        (tls_error("", "HTTP_REQUEST"), "TLS: http request"),
        (tls_error("[SSL] what it says (_ssl.c:1)"), "TLS: what it says"),
        (
            tls_error("", "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
            "TLS: the client does not accept the certificate (certificate expired)",
        ),
        (
            tls_error("", "SSL/TLS_ALERT_HANDSHAKE_FAILURE"),
            "TLS: the client gave up (handshake failure)",
        ),
        (SSL.Error([("SSL routines", "", "http request")]), "TLS: http request"),
        (SSL.Error([("a", "", "bad record mac"), ("b", "", "failure")]), "TLS: bad record mac"),
        (
            SSL.Error([("SSL routines", "", "tls alert bad certificate")]),
            "TLS: the client does not accept the certificate (bad certificate)",
        ),
        (SSL.Error([]), "TLS: failed"),
        (SSL.Error(), "TLS: failed"),
        (SSL.SysCallError(-1, "Unexpected EOF"), "TLS: unexpected eof"),
    ],
)
def test_every_reason_is_one_line_of_words(error, why):
    connection = ServerConnection(EchoProtocol())
    connection.makeConnection(StringTransport())
    assert why_it_ended(connection, Failure(error)) == why


def test_a_client_that_had_ended_its_side_has_closed():
    connection = ServerConnection(EchoProtocol())
    connection.makeConnection(StringTransport())
    connection.readConnectionLost()
    assert why_it_ended(connection, Failure(ConnectionLost())) == "closed by the client"
