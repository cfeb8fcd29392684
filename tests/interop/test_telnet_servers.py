"""Our shell, in a real terminal, on telnet servers of other projects."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import BIN, Output, echoproto, eventually, program, start
from terminal import Terminal, shell_on

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "docs" / "examples"


@contextmanager
def server_of(script, *words):
    # TERM is the server's own: with "dumb" prompt_toolkit would echo a password.
    with start(
        *[sys.executable, HERE / script, *words],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm"},
    ) as process:
        yield int(process.stdout.readline())


def enter(terminal, line):
    terminal.type(line)
    terminal.press("Enter")


def ends(terminal, *last):
    """The server has closed the connection after `last`; the shell stays until Ctrl-D."""
    terminal.wait_for(*last, "Enter connects again; Ctrl-D quits.", "closed>")
    terminal.press("C-d")
    terminal.wait_for("closed>", "[status 0]")


def history(state):
    files = (state / "echoproto" / "history").iterdir()
    (file,) = (file for file in files if file.name != "commands")
    return [line[1:] for line in file.read_text().splitlines() if line.startswith("+")]


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "telnet://127.0.0.1:{}"])
def test_log_in_to_telnetlib3(form, tmp_path):
    with (
        server_of("login_telnetlib3.py", "log_in") as port,
        shell_on(form.format(port), tmp_path) as terminal,
    ):
        terminal.wait_for("login:")
        enter(terminal, "alice")
        terminal.wait_for("login: alice", "Password:")
        terminal.type("secret")
        terminal.wait_for("login: alice", "Password: ******")
        terminal.press("Enter")
        terminal.wait_for("Password:", "Welcome alice, password of 6.", "$")
        enter(terminal, "žluťoučký kůň")
        terminal.wait_for("$ žluťoučký kůň", "'žluťoučký kůň'", "$")
        enter(terminal, "tty")
        terminal.wait_for("$ tty", "dumb of 80 columns", "$")
        terminal.resize(100, 30)
        enter(terminal, "tty")
        terminal.wait_for("$ tty", "dumb of 100 columns", "$")
        terminal.press("C-]")
        enter(terminal, "options")
        terminal.wait_for(
            "echoproto> options",
            "The server sends 8-bit data unchanged (BINARY).",
            "The server offers character sets (CHARSET).",
            "This shell sends 8-bit data unchanged (BINARY).",
            "This shell sends its terminal type, dumb (TTYPE).",
            "This shell sends its window size, 100x30 (NAWS).",
            "This shell chooses a character set (CHARSET).",
            "$",
        )
        enter(terminal, "exit")
        ends(terminal, "bye", f"{form.format(port)} closed the connection.")
    assert "secret" not in history(tmp_path)
    assert history(tmp_path) == ["alice", "žluťoučký kůň", "tty", "exit"]


def test_a_login_that_was_recorded_replays_with_the_password(tmp_path):
    path = tmp_path / "login.session"
    with server_of("login_telnetlib3.py", "log_in") as port:
        target = f"127.0.0.1:{port}"
        with shell_on(target, tmp_path, "--record", path) as terminal:
            for prompt, answer in [("login:", "alice"), ("Password:", "hunter2"), ("$", "exit")]:
                terminal.wait_for(prompt)
                enter(terminal, answer)
            terminal.wait_for("closed>")
            assert any("The connection is recorded in " in line for line in terminal.lines())
            terminal.press("C-d")
            terminal.wait_for("[status 0]")
        assert "hunter2" not in path.read_text()
        replayed = echoproto("replay", "--set", "secret=hunter2", path)
        assert (replayed.returncode, replayed.stdout) == (0, b"")
        replayed = echoproto("replay", "--set", "secret=hunter", path)
        assert replayed.returncode == 1
        assert b"password of 6." in replayed.stdout


def test_telnetlib3_s_own_shell_which_echoes_all(tmp_path):
    with (
        server_of("login_telnetlib3.py", "own") as port,
        shell_on(f"127.0.0.1:{port}", tmp_path) as terminal,
    ):
        terminal.wait_for("Ready.", "tel:sh>")
        enter(terminal, "nosuch")
        terminal.wait_for("tel:sh> nosuch", "no such command.", "tel:sh>")
        terminal.press("C-]")
        enter(terminal, "options")
        terminal.wait_for(
            "echoproto> options",
            "The server sends 8-bit data unchanged (BINARY).",
            "The server echoes what you type (ECHO).",
            "The server sends no go-ahead (SGA).",
            "The server offers character sets (CHARSET).",
            "This shell sends 8-bit data unchanged (BINARY).",
            "This shell sends its terminal type, dumb (TTYPE).",
            "This shell sends its window size, 80x24 (NAWS).",
            "This shell chooses a character set (CHARSET).",
            "tel:sh>",
        )
        enter(terminal, "quit")
        ends(terminal, "tel:sh> quit", "Goodbye.", f"127.0.0.1:{port} closed the connection.")
    assert history(tmp_path) == []


def test_log_in_to_prompt_toolkit_s_own_telnet_server(tmp_path):
    with (
        server_of("login_prompt_toolkit.py") as port,
        shell_on(f"telnet://127.0.0.1:{port}", tmp_path) as terminal,
    ):
        terminal.wait_for("login:")
        enter(terminal, "alice")
        terminal.wait_for("login: alice", "Password:")
        enter(terminal, "secret")
        terminal.wait_for("Password: ******", "Welcome alice, password of 6.", "$")
        enter(terminal, "日本 ok")
        terminal.wait_for("$ 日本 ok", "'日本 ok'", "$")
        enter(terminal, "tty")
        terminal.wait_for("$ tty", "80 columns", "$")
        terminal.resize(100, 30)
        enter(terminal, "tty")
        terminal.wait_for("$ tty", "100 columns", "$")
        enter(terminal, "exit")
        ends(terminal, "$ exit", "bye", f"telnet://127.0.0.1:{port} closed the connection.")
    assert history(tmp_path) == []


@pytest.mark.parametrize("client", ["telnet", "plink", "echoproto"])
def test_a_password_is_not_shown_by_any_client_of_the_example(client, tmp_path):
    with start(sys.executable, EXAMPLES / "login.py", "0") as process:
        log = Output(process.stdout)
        port = log.wait_for(r"LineFactory starting on (\d+)")[0][1]
        command = {
            "telnet": [program("telnet"), "127.0.0.1", port],
            "plink": [program("plink"), "-telnet", "-P", port, "127.0.0.1"],
            "echoproto": [BIN / "echoproto", f"127.0.0.1:{port}"],
        }[client]
        with Terminal(*command, env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
            terminal.wait_for("login:")
            enter(terminal, "alice")
            terminal.wait_for("login: alice", "Password:")
            enter(terminal, "secret")
            lines = eventually(
                lambda: "Welcome, alice." in terminal.lines() and terminal.lines(), terminal.lines
            )
            assert "secret" not in "".join(lines)
        log.wait_for(r"disconnected: 2 lines, .*: closed by the ")
        process.kill()
        log.wait_for_end()


def test_commands_to_our_own_server(server, tmp_path):
    with shell_on(f"127.0.0.1:{server.port}", tmp_path) as terminal:
        terminal.wait_for(">")
        terminal.type("half a li")
        terminal.press("C-]")
        terminal.wait_for("echoproto>")
        enter(terminal, "send ayt")
        lines = terminal.wait_for("[yes, the echo server is here]", "> half a li")
        assert "The server has not negotiated telnet; treating it as telnet from now on." in lines
        enter(terminal, "ne")
        terminal.wait_for("> half a line", "half a line", ">")
        for command in ("ip", "brk", "nop"):
            terminal.press("C-]")
            enter(terminal, f"send {command}")
            enter(terminal, f"after {command}")
            terminal.wait_for(f"> after {command}", f"after {command}", ">")
        terminal.press("C-]")
        enter(terminal, "send eof")
        ends(terminal, f"127.0.0.1:{server.port} closed the connection.")
