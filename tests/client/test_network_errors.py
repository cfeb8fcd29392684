"""What goes wrong in connecting through TLS is one clear line."""

from __future__ import annotations

from contextlib import suppress

import pytest

from peers import RESET_AT_CLOSE, plain_peer
from support import BIN, fails, receive_all, receive_exactly

ECHOPROTO = BIN / "echoproto"


# Who the peer is


def test_a_certificate_that_nobody_trusts_is_refused_in_one_clear_line(tls_server):
    name = f"tls://localhost:{tls_server.port}"
    assert fails(name) == (
        f"echoproto: cannot connect to {name}: its certificate is not trusted: "
        "self-signed certificate (SSL_CERT_FILE names a file of certificates to trust; "
        "-k accepts any certificate)"
    )


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_is_refused_in_one_clear_line(tls_server):
    name = f"tls://127.0.0.1:{tls_server.port}"
    assert fails(name) == (
        f"echoproto: cannot connect to {name}: its certificate is for another name: "
        "IP address mismatch, certificate is not valid for '127.0.0.1'. "
        "(-k accepts any certificate)"
    )


# Peers that do not do the handshake


@pytest.mark.usefixtures("trusted")
def test_a_server_without_tls_is_one_clear_line(server):
    name = f"tls://localhost:{server.port}"
    assert fails(name) == f"echoproto: cannot connect to {name}: it does not speak TLS"


@pytest.mark.parametrize(
    "greeting", [b"220 mail.example ESMTP\r\n", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\0" * 64]
)
def test_a_greeting_that_is_no_tls_is_one_clear_line(greeting):
    def serve(sock):
        sock.sendall(greeting)
        with suppress(ConnectionError):
            receive_all(sock)

    with plain_peer(serve) as target:
        said = fails(str(target))
        assert said == f"echoproto: cannot connect to {target}: it does not speak TLS"


def test_a_peer_that_closes_in_the_handshake_is_one_clear_line():
    def serve(sock):
        sock.recv(4096)

    with plain_peer(serve) as target:
        said = fails(str(target))
        assert said == f"echoproto: cannot connect to {target}: it closed during the TLS handshake"


def test_a_peer_that_resets_in_the_handshake_is_one_clear_line():
    def serve(sock):
        receive_exactly(sock, 1)
        sock.setsockopt(*RESET_AT_CLOSE)

    with plain_peer(serve) as target:
        assert fails(str(target)) == f"echoproto: {target}: Connection reset by peer"
