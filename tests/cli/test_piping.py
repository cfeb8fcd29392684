"""`echoproto` as a pipe through TLS and telnet."""

from __future__ import annotations

import os
import subprocess

import pytest

from peers import peer
from support import BIN, DEADLINE, echoproto, receive_all, receive_exactly, start
from terminal import Terminal

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20


IAC_IAC, WILL_ECHO, DONT_ECHO = b"\xff\xff", b"\xff\xfb\x01", b"\xff\xfe\x01"
DO_NAWS, WONT_NAWS = b"\xff\xfd\x1f", b"\xff\xfc\x1f"
DO_BINARY, WILL_BINARY = b"\xff\xfd\0", b"\xff\xfb\0"

# Our server goes on after a close_notify: there is no need to wait for the end of its answer.
AT_ONCE = ["--shutdown", "0"]

# 255 before a byte that begins no command of telnet's: to an echo server this is no telnet.
EVERY_BYTE = b"\xff\0" + bytes(range(256)) * 1000 + b"\r\n\r\0\r\r\n\xff\xff\xff\xfd\x1fno line end"


@pytest.mark.parametrize("command", [[], ["connect"], ["send"]], ids=" ".join)
@pytest.mark.parametrize("scheme", ["tcp", "tls", "telnet", "telnets"])
def test_whatever_is_spoken_an_echo_server_sends_back_every_byte(
    server, tls_server, certificate, command, scheme
):
    port = (tls_server if scheme in ("tls", "telnets") else server).port
    env = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    where = [*AT_ONCE, f"{scheme}://localhost:{port}"]
    done = echoproto(*command, *where, input=EVERY_BYTE, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == EVERY_BYTE


@pytest.mark.parametrize("scheme", ["tls", "telnets"])
@pytest.mark.parametrize("option", ["-k", "--insecure"])
def test_a_certificate_is_accepted_unseen_only_if_that_is_said(tls_server, scheme, option):
    name = f"{scheme}://localhost:{tls_server.port}"
    for words in ([name], ["send", name]):
        done = echoproto(*words, input=b"secret")
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(
            f"echoproto: cannot connect to {name}: its certificate is not trusted: ".encode()
        )
        assert done.stderr.count(b"\n") == 1
    for words in ([option, name], ["send", option, name], ["connect", name, option]):
        done = echoproto(*words, *AT_ONCE, input=b"hello")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


def spoken_to(words, says, hears, data=b"hello\xff\n"):
    """A run of `echoproto send` on a peer that says, hears so many bytes, and the rest of it."""
    heard = []

    def serve(sock):
        sock.sendall(says)
        heard.append(receive_exactly(sock, hears))
        process.stdin.write(data)
        process.stdin.close()
        heard.append(receive_all(sock))
        sock.sendall(b"bye\xff\xf1")

    with peer(serve) as (host, port):
        where = [word.format(host=host, port=port) for word in words]
        with start(ECHOPROTO, "send", *where, stderr=subprocess.PIPE) as process:
            printed = process.stdout.read()
            assert process.wait(DEADLINE) == 0
            assert process.stderr.read() == b""
    return printed, *heard


@pytest.mark.parametrize(
    "words",
    [
        ["telnet://{host}:{port}"],
        ["--telnet", "always", "{host}:{port}"],
        ["--telnet=always", "{host}", "{port}"],
        ["--telnet", "always", "telnet://{host}:{port}"],
        ["--telnet", "auto", "{host}:{port}"],
        ["--telnet", "auto", "telnet://{host}:{port}"],
    ],
    ids=" ".join,
)
def test_a_pipe_through_telnet_prints_data_and_answers_the_rest(words):
    printed, answers, heard = spoken_to(words, WILL_ECHO + b"login: " + DO_NAWS + IAC_IAC, 6)
    assert printed == b"login: \xffbye"
    assert answers == DONT_ECHO + WONT_NAWS
    assert heard == b"hello" + IAC_IAC + b"\n"


def test_a_pipe_through_telnet_agrees_to_binary():
    printed, answers, heard = spoken_to(["telnet://{host}:{port}"], DO_BINARY, 3, b"\r\xff\n")
    assert (printed, answers, heard) == (b"bye", WILL_BINARY, b"\r\xff\xff\n")
    printed, answers, heard = spoken_to(["telnet://{host}:{port}"], DO_NAWS, 3, b"\r\xff\n")
    assert (printed, answers, heard) == (b"bye", WONT_NAWS, b"\r\0\xff\xff\n")


def test_a_pipe_through_telnet_sends_lf_as_cr_lf_if_that_is_said():
    words = ["-C", "telnet://{host}:{port}"]
    assert spoken_to(words, DO_NAWS, 3, b"a\nb\r\nc\rd") == (b"bye", WONT_NAWS, b"a\r\nb\r\nc\r\0d")


@pytest.mark.parametrize(
    "words",
    [
        ["{host}:{port}"],
        ["tcp://{host}:{port}"],
        ["--telnet", "never", "{host}:{port}"],
    ],
    ids=" ".join,
)
def test_without_telnet_a_pipe_touches_no_byte(words):
    says = WILL_ECHO + b"login: " + DO_NAWS + IAC_IAC
    printed, answers, heard = spoken_to(words, says, 0)
    assert printed == says + b"bye\xff\xf1"
    assert (answers, heard) == (b"", b"hello\xff\n")


def test_where_telnet_is_auto_what_shows_none_is_untouched():
    says = b"\xff\x80" + WILL_ECHO
    printed, answers, heard = spoken_to(["--telnet", "auto", "{host}:{port}"], says, 0)
    assert printed == says + b"bye\xff\xf1"
    assert (answers, heard) == (b"", b"hello\xff\n")


def test_a_255_that_is_all_a_peer_says_is_printed_where_telnet_is_auto():
    with peer(lambda sock: (sock.sendall(b"\xff"), receive_all(sock))) as (host, port):
        done = echoproto("--telnet", "auto", host, str(port))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xff", b"")


def test_ten_mebibytes_pass_through_telnet_on_tls_exactly(tls_server, certificate):
    data = os.urandom(10 * MEBIBYTE)
    env = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    done = echoproto("send", f"telnets://localhost:{tls_server.port}", input=data, env=env)
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", len(data))
    assert done.stdout == data


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["tls://127.0.0.1:1"], 1, "echoproto: cannot connect to tls://127.0.0.1:1: Connection re"),
        (["telnet://127.0.0.1:1"], 1, "echoproto: cannot connect to telnet://127.0.0.1:1: "),
        (["telnets://[::1]:1"], 1, "echoproto: cannot connect to telnets://[::1]:1: "),
        (["telnet://no.such.invalid"], 1, "echoproto: cannot find host no.such.invalid: "),
        (
            ["--telnet", "maybe", "localhost", "1"],
            2,
            "Error: Invalid value for '--telnet': 'maybe'",
        ),
        (["--telnet"], 2, "Error: Option '--telnet' requires an argument."),
        (
            ["--telnet", "never", "telnet://localhost"],
            2,
            "Error: --telnet never contradicts telnet://localhost:23; give tcp:// or tls://",
        ),
        (["telnet://"], 2, "Error: telnet://: the host is missing; "),
        (["telnet://localhost", "23"], 2, "Error: unexpected argument '23' after the target tel"),
    ],
)
def test_what_is_wrong_with_tls_or_telnet_is_said_in_a_clear_line(words, status, message):
    done = echoproto(*words)
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.decode().splitlines()[-1].startswith(message)
    if status == 1:
        assert done.stderr.count(b"\n") == 1


# Waiting until the port is open


def test_wait_open_ends_with_the_time_that_connecting_may_take(free_port):
    for command in ([], ["send"]):
        done = echoproto(*command, "--wait-open", "-w", "0.5", "127.0.0.1", str(free_port))
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode() == (  # and no notice: this is no terminal
            f"echoproto: cannot connect to 127.0.0.1:{free_port} in 0.5 seconds: Connection "
            "refused\n"
        )


def test_wait_open_waits_for_the_server(free_port):
    with Terminal(ECHOPROTO, "send", "--wait-open", "127.0.0.1", free_port) as terminal:
        terminal.wait_for(f"Waiting for 127.0.0.1:{free_port} ...")
        with peer(lambda sock: sock.sendall(b"hello\n"), address=("127.0.0.1", free_port)):
            assert terminal.wait_for("[status 0]") == ["hello", "[status 0]"]
