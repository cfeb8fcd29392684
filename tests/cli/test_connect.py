"""`echoproto connect`, in a real terminal: what its options make of a typed line."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

import pytest

from peers import tls_peer
from support import BIN, DEADLINE, receive_exactly, run
from terminal import Terminal


@pytest.fixture
def shell(tmp_path):
    """Start our shell in a terminal, with a history of its own."""
    with ExitStack() as stack:

        def start(*words):
            environment = {"XDG_STATE_HOME": str(tmp_path)}
            terminal = Terminal(BIN / "echoproto", *words, env=environment)
            return stack.enter_context(terminal)

        yield start


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE)
        yield listening


def accept(listener):
    sock, _ = listener.accept()
    sock.settimeout(DEADLINE)
    return sock


def port_of(listener):
    return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("options", "end"),
    [([], b"\r\n"), (["--eol", "crlf"], b"\r\n"), (["--eol", "lf"], b"\n")],
    ids=["default", "crlf", "lf"],
)
def test_eol_is_what_ends_a_typed_line(options, end, shell, listener):
    terminal = shell(*options, "127.0.0.1", port_of(listener))
    with accept(listener) as sock, sock.makefile("rb") as received:
        terminal.wait_for(">")
        terminal.type("hello")
        terminal.press("Enter")
        assert received.readline() == b"hello" + end
        terminal.press("C-d")
        assert received.read() == b""
    terminal.wait_for("[status 0]")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], r"a\xff\xffbc"),
        (["--telnet", "auto"], r"a\xff\xffbc"),
        (["--telnet", "always"], r"a\xffbc"),
        (["--telnet", "never"], r"a\xff\xffb\xff\xfd\x1fc"),
    ],
    ids=["default", "auto", "always", "never"],
)
def test_telnet_is_what_the_server_is_taken_for(options, shown, shell, listener):
    terminal = shell(*options, "127.0.0.1", port_of(listener))
    with accept(listener) as sock:
        sock.sendall(b"a\xff\xffb\xff\xfd\x1fc\n")  # IAC IAC, and later DO NAWS
        terminal.wait_for(shown, ">")


def test_insecure_takes_any_certificate(shell, tls_server):
    target = f"tls://localhost:{tls_server.port}"
    *_, said, _ = shell(target).wait_for("[status 1]")
    assert said.startswith(f"echoproto: cannot connect to {target}: its certificate is not trusted")
    terminal = shell("-k", target)
    terminal.wait_for(">")
    terminal.type("hello")
    terminal.press("Enter")
    terminal.wait_for("> hello", "hello", ">")


def test_wait_is_how_long_connecting_may_take(shell, listener):
    target = f"tls://127.0.0.1:{port_of(listener)}"  # which never answers
    *_, said, _ = shell("-w", "0.2", target).wait_for("[status 1]")
    assert said == f"echoproto: cannot connect to {target}: no answer in 0.2 seconds"


def test_to_accept_any_certificate_without_tls_is_an_error_in_the_shell(shell):
    *_, said, _ = shell("-k", "127.0.0.1", 1).wait_for("[status 2]")
    assert said.startswith("Error: -k has an effect only on TLS, which 127.0.0.1:1 does not use; ")


@pytest.mark.parametrize("words", [["--crlf"], ["--idle", "1"], ["--no-shutdown"], ["--send-only"]])
def test_what_only_a_pipe_has_is_an_error_in_the_shell(words, shell):
    *_, said, _ = shell(*words, "127.0.0.1", 1).wait_for("[status 2]")
    assert said == (
        f"Error: {words[0]} has an effect only in a pipe; to run one in a terminal, use send"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--eol", "x", "localhost:1"], "Error: Invalid value for '--eol': 'x' is not one of"),
        (["--eol"], "Error: Option '--eol' requires an argument."),
        (["--eol", "lf", "localhost"], "Error: localhost: the port is missing; "),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_wrong_usage_is_said_with_status_2(words, message):
    done = run(BIN / "echoproto", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[-1].startswith(message)


def test_on_tls_ctrl_d_waits_for_the_answer_before_it_ends_our_side(shell, certificate):
    heard = []

    def serve(tls):
        receive_exactly(tls, len(b"question\r\n"))
        tls.settimeout(0.3)
        with suppress(TimeoutError):
            heard.append(tls.recv(1))
            return  # as most servers do when they receive close_notify
        tls.settimeout(DEADLINE)
        tls.sendall(b"answer\r\n")
        tls.suppress_ragged_eofs = False  # only a close_notify is an end
        heard.append(tls.recv(1))

    with tls_peer(certificate, serve) as target:
        terminal = shell("-k", target)
        terminal.wait_for(">")
        terminal.type("question")
        terminal.press("Enter", "C-d")
        assert "answer" in terminal.wait_for("[status 0]")
    assert heard == [b""]
