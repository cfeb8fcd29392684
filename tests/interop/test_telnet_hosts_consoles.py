"""Our shell on telnet hosts that edit the line themselves: interpreters and consoles."""

from __future__ import annotations

import re
from contextlib import contextmanager

from support import connect, eventually, receive_all
from telnet_hosts import (
    NAME,
    PASSWORD,
    kept,
    manhole,
    prompt_toolkit_server,
    qemu_monitor,
    terminal_on,
)
from terminal import at, has

PYTHON, MONITOR, COMMANDS = ">>> ", "(qemu) ", "$ "

SIZE = (
    "import gc, twisted.conch.recvline as r; size = lambda: "
    "[(o.width, o.height) for o in gc.get_objects() if isinstance(o, r.RecvLine)]"
)


@contextmanager
def logged_in(host, folder, *, name, prompt):
    with terminal_on(host, folder) as terminal:
        terminal.see(at(name))
        terminal.enter(NAME)
        terminal.see(at("Password: "))
        terminal.type(PASSWORD)
        terminal.see(lambda screen: "sesame" not in "".join(screen.rows))
        terminal.press("Enter")
        terminal.see(at(prompt))
        yield terminal


def in_manhole(folder):
    return logged_in(manhole, folder, name="Username: ", prompt=PYTHON)


def in_prompt_toolkit(folder):
    return logged_in(prompt_toolkit_server, folder, name="login: ", prompt=COMMANDS)


# Twisted's manhole


def test_a_line_for_manhole_is_edited_there(tmp_path):
    with in_manhole(tmp_path) as terminal:
        terminal.type("abx")
        terminal.see(at(">>> abx"))
        terminal.press("Left")
        terminal.see(at(">>> ab"))
        terminal.type("c")
        screen = terminal.see(at(">>> abc"))
        assert screen.rows[screen.cursor.y] == ">>> abcx"
        terminal.press("Enter")
        terminal.wait_for("NameError: name 'abcx' is not defined", ">>>")
        terminal.press("Up")
        terminal.see(at(">>> abcx"))
        terminal.press("BSpace", "BSpace", "Enter")
        terminal.wait_for("NameError: name 'ab' is not defined", ">>>")
        assert "sesame" not in "".join(terminal.lines())
    assert not re.search("sesame|ab", kept(tmp_path))


def test_manhole_has_ctrl_c_long_output_the_size_and_an_end(tmp_path):
    with in_manhole(tmp_path) as terminal:
        terminal.type("not this")
        terminal.see(at(">>> not this"))
        terminal.press("C-c")
        terminal.see(has("KeyboardInterrupt"))
        terminal.see(at(PYTHON))
        terminal.enter(r"print(*range(1, 5001), sep='\n')")
        lines = terminal.wait_for("5000", ">>>")
        assert lines[-5001:-1] == [str(number) for number in range(1, 5001)]
        terminal.enter(SIZE)
        terminal.enter("size()")
        terminal.wait_for("[(80, 24)]", ">>>")
        terminal.resize(100, 30)

        def told():
            terminal.enter("size()")
            return terminal.see(at(PYTHON)) and "[(100, 30)]" in terminal.lines()

        eventually(told, "the new size")
        terminal.press("C-d")
        terminal.see(has("closed the connection."))


# QEMU's monitor


def test_tab_and_the_arrows_are_those_of_qemu_s_monitor(tmp_path):
    with terminal_on(qemu_monitor, tmp_path) as terminal:
        terminal.see(at(MONITOR))
        terminal.type("info vers")
        terminal.see(at("(qemu) info vers"))
        terminal.press("Tab")
        terminal.see(at("(qemu) info version "))
        terminal.press("Enter")
        *_, version, _ = terminal.wait_for("(qemu)")
        assert re.match(r"\d+\.\d+", version)
        terminal.type("info re")
        terminal.press("Tab")
        terminal.see(has("registers"))
        terminal.see(at("(qemu) info re"))
        terminal.press("C-a")
        terminal.see(at("(qemu) "))
        terminal.press("Up")
        terminal.see(at("(qemu) info version "))
        terminal.press("Left", "BSpace", "Enter")
        terminal.wait_for("(qemu) info versio", "unknown command: 'info versio'", "(qemu)")
    assert "info" not in kept(tmp_path)


def test_all_of_the_help_of_qemu_s_monitor_is_shown_and_quit_ends_it(tmp_path):
    with qemu_monitor(tmp_path) as port, connect(port) as sock:
        sock.sendall(b"help\rquit\r")
        _, helped, _ = receive_all(sock).split(b"(qemu) ")
        _, *expected = [line.expandtabs().rstrip() for line in helped.decode().splitlines()]
    assert len(expected) > 100
    with terminal_on(qemu_monitor, tmp_path) as terminal:
        terminal.see(at(MONITOR))
        terminal.enter("help")
        lines = terminal.wait_for(expected[-1], "(qemu)")
        assert lines[lines.index("(qemu) help") + 1 : -1] == expected
        terminal.enter("quit")
        terminal.see(has("closed the connection."))


# prompt_toolkit's own telnet server


def test_the_menu_of_a_completer_of_prompt_toolkit_s_server(tmp_path):
    with in_prompt_toolkit(tmp_path) as terminal:
        terminal.type("t")
        menu = ["    terminal", "    tty"]
        terminal.see(lambda screen: screen.rows[-3:] == ["$ t", *menu] and at("$ t")(screen))
        terminal.press("Tab")
        terminal.see(lambda screen: screen.rows[-3:] == ["$ terminal", *menu])
        terminal.press("Tab")
        terminal.see(at("$ tty"))
        terminal.press("Enter")
        terminal.wait_for("$ tty", "80 columns", "$")
        terminal.type("etc")
        terminal.see(at("$ etc"))
        terminal.press("Left")
        terminal.see(at("$ et"))
        terminal.type("-")
        terminal.see(at("$ et-"))
        terminal.press("Enter")
        _, *lines = terminal.wait_for("$ et-c", "'et-c'", "$")
        assert lines == [
            f"login: {NAME}",
            f"Password: {'*' * len(PASSWORD)}",
            f"Welcome {NAME}, password of {len(PASSWORD)}.",
            *["$ tty", "80 columns", "$ et-c", "'et-c'", "$"],
        ]
    assert not re.search("sesame|tty", kept(tmp_path))


def test_prompt_toolkit_s_server_has_long_output_the_size_and_an_end(tmp_path):
    with in_prompt_toolkit(tmp_path) as terminal:
        terminal.enter("count")
        lines = terminal.wait_for("5000", "$")
        assert lines[-5001:-1] == [str(number) for number in range(1, 5001)]
        terminal.resize(100, 30)

        def told():
            terminal.enter("tty")
            return terminal.see(at(COMMANDS)) and "100 columns" in terminal.lines()

        eventually(told, "the new size")
        terminal.press("C-c")
        terminal.see(has("closed the connection."))
