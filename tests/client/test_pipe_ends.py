"""How a pipe ends: when the peer ends first, and when and how the pipe ends its own side."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest

from echoproto.client.pipe import pipe
from echoproto.client.target import Target
from echoproto.errors import NetworkError
from peers import peer, talk, tls_peer, until, was_reset
from support import BIN, DEADLINE, echoproto, receive_all, receive_exactly, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20


# When the peer ends first


def ends_first(received):
    def serve(sock):
        sock.shutdown(socket.SHUT_WR)
        received.append(receive_all(sock))

    return peer(serve)


@pytest.mark.parametrize("how", ["a file", "two files", "a producer"])
def test_a_peer_that_ends_its_side_first_still_receives_all_input(how, tmp_path):
    data = os.urandom(8 * MEBIBYTE)
    (tmp_path / "file").write_bytes(data)
    files = {"a file": ["file"], "two files": ["file", "file"]}.get(how, [])
    received = []
    with ends_first(received) as (host, port):
        done = echoproto(
            "send", f"{host}:{port}", *files, cwd=tmp_path, input=b"" if files else data
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert received == [data * (len(files) or 1)]


@pytest.mark.parametrize("scheme", ["telnet", "tls"])
def test_so_does_one_through_telnet_and_tls(scheme, certificate, tmp_path):
    data = bytes(8 * MEBIBYTE)
    (tmp_path / "file").write_bytes(data)
    received = []

    def serve(sock):
        if scheme == "tls":
            with suppress(ssl.SSLError):  # it says close_notify, and does not wait for the answer
                sock.settimeout(0)
                sock.unwrap()
            sock.settimeout(DEADLINE)
            with socket.socket(fileno=os.dup(sock.fileno())) as raw:
                raw.settimeout(DEADLINE)
                # OpenSSL may have read up to a few records in search of the answer.
                received.append(len(receive_all(raw)) > len(data) - MEBIBYTE)
        else:
            sock.shutdown(socket.SHUT_WR)
            received.append(receive_all(sock) == data)

    with tls_peer(certificate, serve) if scheme == "tls" else peer(serve) as where:
        target = f"localhost:{where.port}" if scheme == "tls" else f"127.0.0.1:{where[1]}"
        insecure = ["-k"] if scheme == "tls" else []
        words = [*insecure, "--shutdown", "0", f"{scheme}://{target}"]
        done = echoproto("send", *words, tmp_path / "file")
    assert (done.returncode, done.stderr) == (0, b"")
    assert received == [True]


@pytest.mark.parametrize("files", [["file"], ["-", "file"]], ids=["a file", "more than a pipe"])
def test_input_that_the_peer_does_not_take_is_said_with_status_1(files, tmp_path):
    (tmp_path / "file").write_bytes(bytes(8 * MEBIBYTE))

    def serve(sock):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.01)
        with suppress(TimeoutError):
            sock.recv(1)

    with (
        peer(serve) as (host, port),
        start(
            ECHOPROTO, "send", f"{host}:{port}", *files, cwd=tmp_path, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read().decode() == (
            f"echoproto: {host}:{port}: closed by the server before it took all of the input\n"
        )


def test_so_is_input_that_only_the_systems_had_taken():
    sent = threading.Event()

    def serve(sock):
        sock.shutdown(socket.SHUT_WR)
        assert sent.wait(DEADLINE)
        receive_exactly(sock, 1)  # and then it closes on the rest

    async def script(connection):
        (given, giving), (_, taking) = os.pipe(), os.pipe()
        piping = asyncio.create_task(pipe(connection, [given], taking))
        os.write(giving, b"xx")
        await until(lambda: connection.stream.bytes_sent)
        sent.set()
        await asyncio.to_thread(was_reset, connection)
        os.close(giving)
        with pytest.raises(NetworkError, match="before it took all of the input"):
            await piping

    with peer(serve) as (_, port):
        talk(Target("localhost", port), script)


# How the pipe ends its own side


def quiet(sock):
    """Whether the peer neither sends nor half-closes for a while."""
    sock.settimeout(0.3)
    try:
        sock.recv(1, 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_PEEK)
    except TimeoutError:
        return True
    return False


def answers_if_open(sock):
    assert receive_exactly(sock, 5) == b"hello"
    if quiet(sock):
        sock.sendall(b"answer")


def test_no_shutdown_leaves_the_connection_open_at_the_end_of_input():
    with peer(answers_if_open) as (host, port):
        done = echoproto("--no-shutdown", host, str(port), input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"answer", b"")


def test_on_tls_close_notify_waits_for_the_answer(certificate):
    with tls_peer(certificate, answers_if_open) as target:
        done = echoproto("send", "-k", str(target), input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"answer", b"")


@pytest.mark.parametrize("seconds", ["0", "0.2"])
def test_shutdown_is_the_silence_before_close_notify(certificate, seconds):
    def serve(tls):
        tls.sendall(receive_exactly(tls, 5))
        assert receive_all(tls) == b""

    with tls_peer(certificate, serve) as target:
        done = echoproto("send", "-k", "--shutdown", seconds, str(target), input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


def test_q_ends_it_although_the_peer_stays():
    def serve(sock):
        sock.sendall(receive_exactly(sock, 5))
        assert receive_all(sock) == b""

    with peer(serve) as (host, port):
        done = echoproto("--no-shutdown", "-q", "0.3", host, str(port), input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


def test_send_only_drops_what_arrives_and_ends_when_all_is_taken():
    ended = threading.Event()
    received = []

    def serve(sock):
        sock.sendall(b"ignored")
        received.append(receive_all(sock))
        assert ended.wait(DEADLINE)  # it does not close before the pipe has ended

    with peer(serve) as (host, port):
        done = echoproto("--send-only", host, str(port), input=b"x" * MEBIBYTE)
        ended.set()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert received == [b"x" * MEBIBYTE]


def test_recv_only_sends_nothing_and_does_not_half_close():
    silent = []

    def serve(sock):
        silent.append(quiet(sock))
        sock.sendall(b"bye")

    for option in ("-d", "--recv-only"):
        with peer(serve) as (host, port):
            done = echoproto(option, host, str(port), input=b"hello")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"bye", b"")
    assert silent == [True, True]


@pytest.mark.parametrize(
    ("options", "data", "is_hinted"),
    [
        ([], b"hello", True),
        ([], b"", False),
        (["--shutdown", "0"], b"hello", False),
        (["--send-only"], b"hello", False),
    ],
    ids=["default", "no input", "shutdown", "send-only"],
)
def test_a_server_that_closes_at_our_half_close_without_a_byte_is_a_hint(options, data, is_hinted):
    with peer(receive_all) as (host, port):
        done = echoproto(*options, host, str(port), input=data)
    hint = (
        f"echoproto: {host}:{port} sent nothing, and closed when we half-closed: if it speaks TLS, "
        "give tls://; if it should have answered, try --no-shutdown; if not, give --send-only\n"
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == (hint if is_hinted else "")
