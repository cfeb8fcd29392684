"""Our shell on telnet hosts with a login and a shell of Unix: real programs, real keys."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from telnet_hosts import NAME, PASSWORD, UNIX, busybox_telnetd, kept, ser2net, terminal_on
from terminal import at, has

PROMPT = "host$ "

WATCH_SIZE = """
trap 'stty size' WINCH
stty size
sleep 1000 & wait
kill $!
"""

each_host = pytest.mark.parametrize("host", UNIX, ids=lambda host: host.__name__)


@contextmanager
def logged_in(host, folder):
    with terminal_on(host, folder) as terminal:
        log_in(terminal)
        terminal.see(at(PROMPT))
        yield terminal


def log_in(terminal, password=PASSWORD):
    terminal.see(at("login: "))
    terminal.enter(NAME)
    terminal.see(at("Password: "))
    terminal.enter(password)


@each_host
def test_a_password_is_on_no_screen_and_in_no_history(host, tmp_path):
    with terminal_on(host, tmp_path) as terminal:
        log_in(terminal, "close sesame")
        terminal.see(has("Login incorrect"))
        log_in(terminal)
        dialogue = [f"login: {NAME}", "Password:"]
        lines = terminal.wait_for(
            *dialogue, "Login incorrect", *dialogue, f"Welcome, {NAME}.", PROMPT.rstrip()
        )
        assert "sesame" not in "".join(lines)
        terminal.enter("echo $((1000 + 234))")
        terminal.wait_for("host$ echo $((1000 + 234))", "1234", PROMPT.rstrip())
    assert "sesame" not in kept(tmp_path)
    assert "1000" not in kept(tmp_path)


@each_host
def test_tab_and_the_arrows_are_those_of_the_remote_bash(host, tmp_path):
    for name in ("apple-pie", "apple-tart"):
        (tmp_path / name).write_text(f"This is {name}.\n")
    with logged_in(host, tmp_path) as terminal:
        terminal.type("cat app")
        terminal.see(at("host$ cat app"))
        terminal.press("Tab")
        terminal.see(at("host$ cat apple-"))
        terminal.press("Tab", "Tab")
        terminal.wait_for("host$ cat apple-", "apple-pie   apple-tart", "host$ cat apple-")
        terminal.type("p")
        terminal.press("Tab", "Enter")
        terminal.wait_for("host$ cat apple-pie", "This is apple-pie.", PROMPT.rstrip())

        terminal.type("echo tree")
        terminal.press("Left", "Left")
        terminal.see(at("host$ echo tr"))
        terminal.type("nsf")
        terminal.see(lambda screen: screen.rows[-1] == "host$ echo trnsfee")
        terminal.press("BSpace")
        terminal.see(lambda screen: screen.rows[-1] == "host$ echo trnsee")
        terminal.see(at("host$ echo trns"))
        terminal.press("C-e", "Enter")
        terminal.wait_for("host$ echo trnsee", "trnsee", PROMPT.rstrip())
        terminal.press("Up", "Up")
        terminal.see(at("host$ cat apple-pie "))


def test_colours_are_shown_and_nothing_else_reaches_the_terminal(tmp_path):
    with logged_in(busybox_telnetd, tmp_path) as terminal:
        title = terminal.title()
        terminal.enter(r"printf '\e[1;31mred\e[0m \e[44mon blue\e[0m\e]0;title\a\e[5A\n'")
        terminal.see(lambda screen: "red on blue" in screen.rows)
        screen = terminal.see(at(PROMPT))
        red, blue, prompt = (screen.look(text) for text in ("red", "on blue", PROMPT))
        assert (red.fg, red.bg, red.bold) == ("red", "default", True)
        assert (blue.fg, blue.bg, blue.bold) == ("ffffff", "0000ff", False)  # text that stands out
        assert (prompt.fg, prompt.bg, prompt.bold) == ("default", "default", False)
        assert terminal.title() == title


@each_host
def test_ctrl_c_ends_what_runs_there(host, tmp_path):
    with logged_in(host, tmp_path) as terminal:
        terminal.enter("echo asleep; sleep 100")
        terminal.see(lambda screen: "asleep" in screen.rows)
        terminal.press("C-c")
        terminal.see(at(PROMPT))
        terminal.enter("echo $?")
        terminal.wait_for("asleep", "^C", "host$ echo $?", "130", PROMPT.rstrip())


@each_host
def test_long_output_is_whole(host, tmp_path):
    with logged_in(host, tmp_path) as terminal:
        terminal.enter("seq 5000")
        lines = terminal.wait_for("5000", PROMPT.rstrip())
        start = lines.index("host$ seq 5000")
        assert lines[start + 1 : -1] == [str(number) for number in range(1, 5001)]


@pytest.mark.parametrize(
    "host", [host for host in UNIX if host is not ser2net], ids=lambda host: host.__name__
)
def test_a_new_size_of_the_window_reaches_the_program_there(host, tmp_path):
    (tmp_path / "watch-size").write_text(WATCH_SIZE)
    with logged_in(host, tmp_path) as terminal:
        terminal.enter("bash watch-size")
        terminal.see(lambda screen: "24 80" in screen.rows)
        terminal.resize(100, 30)
        terminal.wait_for("24 80", "30 100", PROMPT.rstrip())


@each_host
def test_ctrl_d_logs_out(host, tmp_path):
    with logged_in(host, tmp_path) as terminal:
        terminal.press("C-d")
        if host is ser2net:
            terminal.wait_for(PROMPT.rstrip(), "exit", "login:")
        else:
            terminal.see(has("closed the connection."))
