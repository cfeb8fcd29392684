"""`echoproto connect`, in a real terminal: what its options make of a typed line."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

import pytest

from echoproto.wire.framing import LINE_ENDS
from peers import RESET_AT_CLOSE, tls_peer
from support import BIN, DEADLINE, has_ipv6, matching, receive_exactly, run, serve
from terminal import Terminal, has


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
    [([], b"\r\n"), *((["--eol", name], end) for name, end in LINE_ENDS.items())],
    ids=["default", *LINE_ENDS],
)
def test_eol_is_what_ends_a_typed_line(options, end, shell, listener):
    terminal = shell(*options, "127.0.0.1", port_of(listener))
    with accept(listener) as sock, sock.makefile("rb") as received:
        terminal.wait_for(">")
        terminal.type("hello")
        terminal.press("Enter")
        terminal.press("C-d")
        assert received.read() == b"hello" + end
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
    ("words", "said"),
    [
        (
            ["--once", "--reconnect", "127.0.0.1", 1],
            "Error: --once ends with the first connection: leave out --reconnect",
        ),
        (
            ["--wait-open"],
            "Error: --wait-open needs a TARGET: the shell's own server is always there",
        ),
    ],
)
def test_options_of_the_connection_that_contradict_each_other_are_an_error(words, said, shell):
    assert shell(*words).wait_for("[status 2]")[-2] == said


@pytest.mark.parametrize("option", ["--once", "--reconnect"])
def test_what_only_the_shell_has_is_an_error_in_a_pipe(option):
    done = run(BIN / "echoproto", option, "127.0.0.1", "1")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == (
        f"Error: {option} has an effect only in the shell"
    )


def test_wait_open_waits_for_the_server_and_says_so(shell, free_port):
    terminal = shell("--wait-open", "127.0.0.1", free_port)
    terminal.wait_for(f"Waiting for 127.0.0.1:{free_port} ...")
    with socket.create_server(("127.0.0.1", free_port)) as listener:
        listener.settimeout(DEADLINE)
        with accept(listener) as sock:
            sock.sendall(b"hello\n")
            lines = terminal.wait_for("hello", ">")
    assert lines[0].startswith(f"Connected to 127.0.0.1:{free_port}.")  # the notice is gone


def test_wait_open_ends_when_the_time_is_up(shell, free_port):
    *_, said, _ = shell("--wait-open", "-w", "1", "127.0.0.1", free_port).wait_for("[status 1]")
    assert said == (
        f"echoproto: cannot connect to 127.0.0.1:{free_port} in 1 second: Connection refused"
    )


def test_while_connecting_lasts_it_is_shown_and_afterwards_it_is_gone(shell, full_listener):
    host, port = full_listener.getsockname()
    terminal = shell(host, port)
    terminal.wait_for(f"Connecting to {host}:{port} ...")
    terminal.press("C-c")
    screen = terminal.see(has("[status 130]"))  # the terminal may show ^C before it
    assert not has("Connecting")(screen)


# The main story


@pytest.mark.parametrize("options", [[], ["--reconnect"]], ids=["Enter", "reconnect"])
def test_when_the_server_is_killed_and_comes_back_the_draft_is_there(options, shell, free_port):
    where = f"127.0.0.1:{free_port}"
    with serve(listen=[where]) as server:
        terminal = shell(*options, "127.0.0.1", free_port)
        terminal.wait_for(">")
        terminal.type("hello")
        terminal.press("Enter")
        terminal.wait_for("> hello", "hello", ">")
        terminal.type("a draft")
        terminal.wait_for("> a draft")
        server.process.kill()
        terminal.wait_for("closed> a draft")
    terminal.type(", and more")
    terminal.wait_for("closed> a draft, and more")
    with serve(listen=[where]):
        if not options:
            terminal.press("Enter")
        terminal.wait_for("> a draft, and more")
        terminal.press("Enter")
        terminal.wait_for(f"Connected to {where}.", "> a draft, and more", "a draft, and more", ">")
        terminal.press("C-d")
        terminal.wait_for("[status 0]")


@pytest.mark.parametrize("kind", ["IPv6", "TLS", "Unix"])
def test_it_connects_again_to_every_kind_of_target(kind, shell, free_port, tmp_path, certificate):
    listen, target = {
        "IPv6": (f"[::1]:{free_port}", f"[::1]:{free_port}"),
        "TLS": (
            f"ssl:{free_port}:interface=127.0.0.1:privateKey={certificate}",
            f"tls://127.0.0.1:{free_port}",
        ),
        "Unix": (f"unix:{tmp_path}/echo.sock", f"unix:{tmp_path}/echo.sock"),
    }[kind]
    if kind == "IPv6" and not has_ipv6():
        pytest.skip("there is no IPv6 here")
    with serve(listen=[listen]) as server:
        terminal = shell(*(["-k"] if kind == "TLS" else []), target)
        terminal.wait_for(">")
        server.process.kill()
        terminal.wait_for("Enter connects again; Ctrl-D quits.", "closed>")
    with serve(listen=[listen]):
        terminal.press("Enter")
        terminal.wait_for(f"Connected to {target.removeprefix('unix:')}.", ">")
        terminal.type("hello")
        terminal.press("Enter")
        terminal.wait_for("> hello", "hello", ">")


def test_a_connection_that_is_lost_with_once_is_status_1(shell, listener):
    terminal = shell("--once", "127.0.0.1", port_of(listener))
    with accept(listener) as sock:
        terminal.wait_for(">")
        sock.setsockopt(*RESET_AT_CLOSE)
    assert "Connection reset by peer" in terminal.wait_for("[status 1]")[-2]


def test_the_lines_that_up_recalls_are_those_of_the_target(shell, listener):
    other = socket.create_server(("127.0.0.1", 0))
    with other:
        terminal = shell("127.0.0.1", port_of(listener))
        with accept(listener):
            terminal.wait_for(">")
            terminal.type("to the first")
            terminal.press("Enter")
            terminal.wait_for("> to the first", ">")
        terminal.wait_for("Enter connects again; Ctrl-D quits.", "closed>")
        terminal.press("C-]")
        terminal.type(f"open 127.0.0.1:{port_of(other)}")
        terminal.press("Enter")
        other.settimeout(DEADLINE)
        with accept(other):
            terminal.wait_for(f"Connected to 127.0.0.1:{port_of(other)}.", ">")
            terminal.type("to the second")
            terminal.press("Enter")
            terminal.wait_for("> to the second", ">")
            terminal.press("Up")
            terminal.wait_for("> to the second")
            terminal.press("Up")  # there is nothing above
            terminal.type("!")
            terminal.wait_for("> to the second!")


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


def test_timestamps_are_on_each_line(shell, server):
    terminal = shell("-t", "127.0.0.1", server.port)
    terminal.wait_for(">")
    terminal.type("hello")
    terminal.press("Enter")
    stamp = r"\d\d:\d\d:\d\d\.\d\d\d "
    terminal.wait_for(matching(stamp + "> hello"), matching(stamp + "hello"), ">")


def test_a_file_that_exists_is_not_recorded_into(shell, server, tmp_path):
    (tmp_path / "old").write_text("precious")
    terminal = shell("--record", tmp_path / "old", "127.0.0.1", server.port)
    *_, said, _ = terminal.wait_for("[status 2]")
    assert said.endswith("the file exists already, and a recording does not overwrite it")
    assert (tmp_path / "old").read_text() == "precious"


@pytest.mark.parametrize("option", [["-t"], ["--record", "x"], ["--eol", "lf"]])
def test_how_the_shell_shows_and_keeps_lines_is_an_error_in_a_pipe(option):
    done = run(BIN / "echoproto", *option, "127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.decode().rstrip().endswith("has an effect only in the shell")
