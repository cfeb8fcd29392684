"""Every key that the help names, pressed in a real terminal: what comes of it.

A key of the table without an entry in CHECKS fails.
"""

from __future__ import annotations

import socket
from functools import partial

import pytest

from echoproto.shell.key_help import CHARACTER, COMMAND, KEYS, LINE, describe_keys
from support import BIN, DEADLINE, receive_exactly
from terminal import Terminal, at, has

WILL_ECHO_AND_SGA = b"\xff\xfb\x01\xff\xfb\x03"
DO_ECHO_AND_SGA = b"\xff\xfd\x01\xff\xfd\x03"

OUTSIDE = "$ "
"""The prompt of the system's shell, in which ours runs."""


def enter(terminal, sock, line):
    """Send a line, and see it among the lines that were sent."""
    terminal.enter(line)
    assert receive_exactly(sock, len(line) + 2) == f"{line}\r\n".encode()
    terminal.see(lambda screen: f"> {line}" in screen.rows and screen.before_cursor == "> ")


def command_line(terminal, typed=""):
    terminal.press("C-]")
    terminal.see(at("echoproto> "))
    terminal.type(typed)
    terminal.see(at(f"echoproto> {typed}"))


# While a line is typed


def sends(terminal, sock, key):
    terminal.type("hello")
    terminal.press(key)
    assert receive_exactly(sock, 7) == b"hello\r\n"
    terminal.see(lambda screen: "> hello" in screen.rows and screen.before_cursor == "> ")


def accepts_the_suggestion(terminal, sock, key):
    enter(terminal, sock, "the first")
    terminal.type("the")
    screen = terminal.see(lambda screen: screen.rows[-1] == "> the first")
    assert screen.before_cursor == "> the"
    assert screen.look(" first") != screen.look("the")._replace(data=" first")
    terminal.press(key)
    screen = terminal.see(at("> the first"))
    assert screen.look(" first") == screen.look("the")._replace(data=" first")


def recalls_the_line_before(terminal, sock, key):
    enter(terminal, sock, "one")
    enter(terminal, sock, "two")
    for line in ("two", "one"):
        terminal.press(key)
        terminal.see(at(f"> {line}"))


def recalls_the_line_after(terminal, sock, key):
    recalls_the_line_before(terminal, sock, "Up")
    terminal.press(key)
    terminal.see(at("> two"))


def searches(terminal, sock, key):
    enter(terminal, sock, "the first")
    enter(terminal, sock, "something else")
    terminal.type("draft")
    terminal.press(key)
    terminal.type("fir")
    terminal.see(has("(reverse-i-search)`fir': the first"))
    terminal.press("C-g")
    terminal.see(at("> draft"))
    terminal.press(key)
    terminal.type("fir")
    terminal.see(has("(reverse-i-search)`fir': the first"))
    terminal.press("Enter")
    terminal.see(lambda screen: screen.rows[-1] == "> the first")
    terminal.press("Enter")
    assert receive_exactly(sock, 11) == b"the first\r\n"


def goes(start, terminal, _sock, key, *, to):
    terminal.type("one two")
    terminal.see(at("> one two"))
    terminal.press(start, key)
    terminal.see(at(f"> {to}"))
    terminal.type("!")
    terminal.see(lambda screen: screen.before_cursor == f"> {to}!")


def cuts(terminal, _sock, key, *, before="", left):
    terminal.type("one two three")
    if before:
        terminal.press(*["C-a", "C-f", "C-f", "C-f"])
        terminal.see(at(f"> {before}"))
    terminal.press(key)
    terminal.see(lambda screen: screen.rows[-1] == f"> {left}".rstrip())


def inserts_what_was_cut(terminal, sock, key):
    cuts(terminal, sock, "C-u", left="")
    terminal.type("zero ")
    terminal.press(key)
    terminal.see(at("> zero one two three"))


def inserts_a_tab(terminal, sock, key):
    terminal.type("a")
    terminal.press(key)
    terminal.type("b")
    terminal.see(at("> a       b"))
    terminal.press("Enter")
    assert receive_exactly(sock, 5) == b"a\tb\r\n"


def inserts_the_next_key(terminal, sock, key):
    terminal.press(key, "Escape")
    terminal.see(lambda screen: screen.before_cursor == "> ^[")
    terminal.press(key, "C-]")
    screen = terminal.see(lambda screen: screen.before_cursor == "> ^[^]")
    assert screen.look("^[^]").fg != "default"
    terminal.press("Enter")
    assert receive_exactly(sock, 4) == b"\x1b\x1d\r\n"


def clears_the_screen(terminal, sock, key):
    enter(terminal, sock, "hello")
    terminal.type("draft")
    terminal.press(key)
    terminal.see(lambda screen: screen.rows == ["> draft"])


def clears_the_line(terminal, sock, key):
    terminal.type("wrong")
    terminal.see(at("> wrong"))
    terminal.press(key)
    terminal.see(lambda screen: screen.rows[-1] == ">")
    enter(terminal, sock, "right")


def ends(terminal, sock, key, *before):
    enter(terminal, sock, "hello")
    terminal.press(*before, key)
    assert sock.recv(1) == b""
    terminal.see(has("Waiting for the rest."))
    terminal.press(key)
    terminal.see(at(OUTSIDE))


def suspends(terminal, _sock, key):
    terminal.type("draft")
    terminal.see(at("> draft"))
    terminal.press(key)
    terminal.see(lambda screen: has("Stopped")(screen) and screen.before_cursor == OUTSIDE)
    terminal.enter("fg")
    terminal.see(at("> draft"))


def opens_the_command_line(terminal, _sock, key):
    terminal.type("draft")
    terminal.press(key)
    terminal.see(at("echoproto> "))


def lists_the_keys(prompt, terminal, _sock, key):
    terminal.press(key)
    terminal.see(has(describe_keys()[-1]))
    terminal.see(at(prompt))
    lines = terminal.lines()
    assert [line for line in describe_keys() if line not in lines] == []


def holds_the_output(terminal, sock, key):
    terminal.press(key)
    terminal.see(at("[paused] > "))
    sock.sendall(b"news\r\n")
    terminal.enter("still sent")
    assert receive_exactly(sock, 12) == b"still sent\r\n"
    screen = terminal.see(has("> still sent"))
    assert not has("news")(screen)
    terminal.press(key)
    terminal.see(lambda screen: has("news")(screen) and screen.before_cursor == "> ")


# On the command line


def runs_the_command(terminal, _sock, key):
    command_line(terminal, "options")
    terminal.press(key)
    terminal.see(has("The server has not negotiated telnet."))
    terminal.see(at("> "))
    command_line(terminal)
    terminal.press(key)
    terminal.see(at("> "))


def completes(terminal, _sock, key):
    command_line(terminal, "mo")
    terminal.press(key)
    terminal.see(at("echoproto> mode "))
    terminal.press(key)
    terminal.see(lambda screen: has("a line at a time")(screen) and has("each key")(screen))
    terminal.see(at("echoproto> mode "))


def recalls_the_command_before(terminal, _sock, key):
    for command in ("options", "help quit"):
        command_line(terminal, command)
        terminal.press("Enter")
        terminal.see(at("> "))
    command_line(terminal)
    for command in ("help quit", "options"):
        terminal.press(key)
        terminal.see(at(f"echoproto> {command}"))


def goes_back(terminal, _sock, key):
    terminal.type("draft")
    command_line(terminal, "quit")
    terminal.press(key)
    terminal.see(at("> draft"))


def ends_from_the_command_line(terminal, sock, key):
    ends(terminal, sock, key, "C-]")


# Each key at once


def opens_the_command_line_in_character_mode(terminal, sock, key):
    sock.sendall(WILL_ECHO_AND_SGA + b"login: ")
    assert receive_exactly(sock, 6) == DO_ECHO_AND_SGA
    terminal.see(at("login: "))
    terminal.press("F1", "C-a", "x")
    assert receive_exactly(sock, 5) == b"\x1bOP\x01x"
    terminal.press(key)
    terminal.see(at("echoproto> "))
    terminal.press("Enter")
    terminal.see(at("login: "))


CHECKS = {
    (LINE, "Enter"): sends,
    (LINE, "Right"): accepts_the_suggestion,
    (LINE, "Up"): recalls_the_line_before,
    (LINE, "Down"): recalls_the_line_after,
    (LINE, "Ctrl-R"): searches,
    (LINE, "Ctrl-A"): partial(goes, "C-e", to=""),
    (LINE, "Ctrl-E"): partial(goes, "C-a", to="one two"),
    (LINE, "Ctrl-W"): partial(cuts, left="one two "),
    (LINE, "Ctrl-U"): partial(cuts, before="one", left=" two three"),
    (LINE, "Ctrl-K"): partial(cuts, before="one", left="one"),
    (LINE, "Ctrl-Y"): inserts_what_was_cut,
    (LINE, "Tab"): inserts_a_tab,
    (LINE, "Ctrl-Q"): inserts_the_next_key,
    (LINE, "Ctrl-L"): clears_the_screen,
    (LINE, "Ctrl-C"): clears_the_line,
    (LINE, "Ctrl-D"): ends,
    (LINE, "Ctrl-Z"): suspends,
    (LINE, "Ctrl-]"): opens_the_command_line,
    (LINE, "F1"): partial(lists_the_keys, "> "),
    (LINE, "F2"): holds_the_output,
    (COMMAND, "Enter"): runs_the_command,
    (COMMAND, "Tab"): completes,
    (COMMAND, "Up"): recalls_the_command_before,
    (COMMAND, "Ctrl-C"): goes_back,
    (COMMAND, "Ctrl-]"): goes_back,
    (COMMAND, "Ctrl-D"): ends_from_the_command_line,
    (COMMAND, "F1"): lambda terminal, sock, key: (
        command_line(terminal), lists_the_keys("echoproto> ", terminal, sock, key)
    ),
    (CHARACTER, "Ctrl-]"): opens_the_command_line_in_character_mode,
}  # fmt: skip


@pytest.mark.parametrize(
    ("where", "name"), [(where, key.name) for where, keys in KEYS.items() for key in keys]
)
def test_a_key_does_what_the_help_says(where, name, tmp_path):
    check = CHECKS[where, name]
    settings = tmp_path / "bashrc"
    settings.write_text(f"PS1='{OUTSIDE}'")
    bash = ["bash", "--noprofile", "--rcfile", settings, "-i"]
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Terminal(*bash, env={"XDG_STATE_HOME": str(tmp_path)}) as terminal,
    ):
        terminal.see(at(OUTSIDE))
        terminal.enter(f"{BIN / 'echoproto'} 127.0.0.1:{listener.getsockname()[1]}")
        listener.settimeout(DEADLINE)
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(DEADLINE)
            terminal.see(at("> "))
            check(terminal, sock, f"C-{name[-1].lower()}" if name.startswith("Ctrl-") else name)


def test_there_are_no_checks_of_keys_that_the_help_does_not_name():
    assert set(CHECKS) == {(where, key.name) for where, keys in KEYS.items() for key in keys}
