"""What goes wrong in connecting through TLS is one clear line."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import pytest

from echoproto.client.network_errors import connecting
from echoproto.client.target import Target
from echoproto.errors import NetworkError
from peers import RESET_AT_CLOSE, peer, plain_peer
from support import BIN, echoproto, fails, receive_all, receive_exactly

ECHOPROTO = BIN / "echoproto"
ECHOES = "it does not speak TLS: it sends back what we send, as an echo server does; give tcp://"


# Who the peer is


def test_a_certificate_that_nobody_trusts_is_refused_in_one_clear_line(tls_server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    name = f"tls://localhost:{tls_server.port}"
    assert fails(name) == (
        f"echoproto: cannot connect to {name}: its certificate is not trusted: "
        "it is self-signed (SSL_CERT_FILE names a file of certificates to trust; "
        "-k accepts any certificate)"
    )


# Peers that do not do the handshake


@pytest.mark.usefixtures("trusted")
def test_a_server_without_tls_is_one_clear_line(server):
    name = f"tls://localhost:{server.port}"
    assert fails(name) == f"echoproto: cannot connect to {name}: {ECHOES}"


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        (b"220 mail.example ESMTP\r\n", " from the start: it speaks SMTP in the clear first, and "),
        (b"HTTP/1.0 400 Bad\r\n\r\n", ": it sends 'HTTP/1.0 400 Bad\\x0d\\x0a\\x0d\\x0a'; give "),
        (b"\0" * 64, ": it sends '\\x00"),
    ],
    ids=["SMTP", "HTTP", "NULs"],
)
@pytest.mark.parametrize("command", [["send"], ["ping", "-c", "1"], ["bench", "-c", "1"]])
def test_a_greeting_that_is_no_tls_is_one_clear_line(command, greeting, why):
    def serve(sock):
        sock.sendall(greeting)
        with suppress(ConnectionError):
            receive_all(sock)

    with plain_peer(serve) as target:
        said = echoproto(*command, str(target)).stderr.decode()
    assert said.startswith(f"echoproto: cannot connect to {target}: it does not speak TLS{why}")
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", [["send"], ["ping", "-c", "1"], ["bench", "-c", "1"]])
def test_a_peer_that_closes_in_the_handshake_is_one_clear_line(command):
    def serve(sock):
        sock.recv(4096)

    with plain_peer(serve) as target:
        said = echoproto(*command, str(target)).stderr.decode()
    assert said == f"echoproto: cannot connect to {target}: it closed during the TLS handshake\n"


def test_a_peer_that_resets_in_the_handshake_is_one_clear_line():
    def serve(sock):
        receive_exactly(sock, 1)
        sock.setsockopt(*RESET_AT_CLOSE)

    with plain_peer(serve) as target:
        assert fails(str(target)) == f"echoproto: {target}: Connection reset by peer"


# Peers that speak TLS where the client does not


ALERT = b"\x15\x03\x01\0\2\2\x46"


@pytest.mark.parametrize("end", [lambda _: None, lambda sock: sock.setsockopt(*RESET_AT_CLOSE)])
@pytest.mark.parametrize("command", ["send", "ping"])
def test_a_server_that_answers_plain_text_with_a_tls_alert_is_told_to_speak_tls(command, end):
    def serve(sock):
        sock.recv(4096)
        sock.sendall(ALERT)
        sock.recv(4096) if command == "send" else None
        end(sock)

    with peer(serve) as (host, port):
        done = echoproto(command, host, str(port), input=b"hello")
    assert done.returncode == 1
    if command == "send":
        assert done.stdout == ALERT
    assert re.fullmatch(
        rf"echoproto: {host}:{port}: (closed by the server|Connection reset by peer) \(it answered "
        r"with a TLS alert, so it speaks TLS; give tls://\)\n",
        done.stderr.decode(),
    )


def test_a_server_that_resets_before_it_sent_anything_may_speak_tls():
    def serve(sock):
        receive_exactly(sock, 5)
        sock.setsockopt(*RESET_AT_CLOSE)

    with peer(serve) as (host, port):
        said = fails(host, str(port))
    assert said == (
        f"echoproto: {host}:{port}: Connection reset by peer (before it sent anything; if it "
        "speaks TLS, give tls://)"
    )


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (b"", r"\(before it sent anything; if it speaks TLS, give tls://\)"),
        (ALERT, r"\(it answered with a TLS alert, so it speaks TLS; give tls://\)"),
    ],
)
@pytest.mark.parametrize("command", [["ping"], ["bench", "-c", "1"]])
def test_a_server_that_answers_plain_text_by_closing_may_speak_tls(command, answer, hint):
    def serve(sock):
        sock.recv(4096)
        sock.sendall(answer)

    with peer(serve) as (host, port):
        done = echoproto(*command, host, str(port))
    assert done.returncode == 1
    assert re.fullmatch(rf"echoproto: {host}:{port}: .*{hint}.*\n", done.stderr.decode())


def test_one_second_is_no_plural():
    async def late() -> None:
        async with connecting(Target("localhost", 1), 1):
            raise TimeoutError

    with pytest.raises(NetworkError, match=r": no answer in 1 second$"):
        asyncio.run(late())
