"""Our shell in a real terminal: typed into, flooded, attacked, left."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from threading import Thread

import pytest

from peers import RESET_AT_CLOSE
from support import BIN, DEADLINE, eventually, receive_exactly
from terminal import Terminal, has

ECHOPROTO = BIN / "echoproto"
PROMPT = ">"


@pytest.fixture
def shell(tmp_path):
    """Start our shell in a terminal, with a history of its own."""
    terminals = []

    def start(*words):
        terminals.append(Terminal(ECHOPROTO, *words, env={"XDG_STATE_HOME": str(tmp_path)}))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.__exit__()


@pytest.fixture
def peer():
    """A listening socket, to be on the other side by hand; and its address in words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        host, port = listener.getsockname()
        yield listener, [host, str(port)]


def accept(listener):
    sock, _ = listener.accept()
    sock.settimeout(DEADLINE)
    return sock


def enter(terminal, line):
    terminal.type(line)
    terminal.press("Enter")


def test_type_see_the_echo_quit_start_again_and_up_shows_the_line(shell):
    terminal = shell()
    terminal.wait_for(PROMPT)
    enter(terminal, "hello, wörld")
    terminal.wait_for("> hello, wörld", "hello, wörld", PROMPT)
    terminal.press("C-d")
    terminal.wait_for("[status 0]")

    again = shell()
    again.wait_for(PROMPT)
    again.press("Up")
    again.wait_for("> hello, wörld")
    again.press("Enter")
    again.wait_for("> hello, wörld", "hello, wörld", PROMPT)


@pytest.mark.parametrize("form", ["{0} {1}", "{0}:{1}", "tcp://{0}:{1}"])
def test_each_form_of_a_target(shell, server, form):
    terminal = shell(*form.format("127.0.0.1", server.port).split())
    terminal.wait_for(
        f"Connected to 127.0.0.1:{server.port}. Ctrl-D quits, Ctrl-] opens the command line.",
        PROMPT,
    )
    enter(terminal, "hello")
    terminal.wait_for("> hello", "hello", PROMPT)


def test_a_unix_socket(shell, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(str(tmp_path / "peer.sock"))
        listener.listen()
        terminal = shell(f"unix://{tmp_path}/peer.sock")
        with accept(listener) as sock:
            terminal.wait_for(PROMPT)
            enter(terminal, "hello")
            assert receive_exactly(sock, 7) == b"hello\r\n"


def test_history_is_kept_for_each_target_and_is_suggested_and_searched(shell, server, peer):
    terminal = shell("127.0.0.1", server.port)
    terminal.wait_for(PROMPT)
    for line in ("the first", "something else"):
        enter(terminal, line)
        terminal.wait_for(line, PROMPT)
    terminal.type("the")
    terminal.wait_for("> the first")  # suggested, in grey
    terminal.press("Right", "Enter")
    terminal.wait_for("> the first", "the first", PROMPT)
    terminal.press("C-r")
    terminal.type("else")
    terminal.wait_for("(reverse-i-search)`else': something else")
    terminal.press("Enter", "Enter")
    terminal.wait_for("> something else", "something else", PROMPT)

    _, words = peer
    other = shell(*words)
    other.wait_for(PROMPT)
    other.press("Up")
    other.type("nothing before this")
    other.wait_for("> nothing before this")


def test_ctrl_c_clears_the_line(shell, server):
    terminal = shell("127.0.0.1", server.port)
    terminal.wait_for(PROMPT)
    terminal.type("wrong")
    terminal.wait_for("> wrong")
    terminal.press("C-c")
    terminal.wait_for(PROMPT)
    enter(terminal, "right")
    terminal.wait_for("> right", "right", PROMPT)


def test_ten_thousand_lines_while_a_person_is_typing(shell, peer):
    listener, words = peer
    terminal = shell(*words)
    with accept(listener) as sock:
        terminal.wait_for(PROMPT)
        flood = [f"line {number} of the flood" for number in range(10_000)]
        terminal.type("this is be")
        sock.sendall(b"".join(line.encode() + b"\r\n" for line in flood))
        for char in "ing typed":
            terminal.type(char)
        lines = terminal.wait_for(flood[-1], "> this is being typed")
        assert [line for line in lines if line.startswith("line ")] == flood
        assert lines[1:] == [*flood, "> this is being typed"]
        terminal.press("Enter")
        assert receive_exactly(sock, 21) == b"this is being typed\r\n"


def test_nothing_that_a_server_sends_moves_the_cursor_or_changes_the_terminal(shell, peer):
    listener, words = peer
    terminal = shell(*words)
    with accept(listener) as sock:
        terminal.wait_for(PROMPT)
        title = terminal.title()
        terminal.type("typed")
        terminal.wait_for("> typed")
        every = bytes(byte for byte in range(256) if byte not in b"\r\n\t")
        sock.sendall(b"\x1b]0;hacked\x07\x1b[2J\x1b[H\x1b[31mred\x1b(0\x0e\n")
        sock.sendall(every + b"\n" + "\u009b2J\u202e".encode() + b"\nend\n")
        escaped = "".join(f"\\x{byte:02x}" for byte in range(32) if byte not in b"\r\n\t")
        printable = bytes(range(32, 127)).decode()
        above = "".join(f"\\x{byte:02x}" for byte in range(127, 256))
        terminal.wait_for(
            r"\x1b]0;hacked\x07\x1b[2J\x1b[H\x1b[31mred\x1b(0\x0e",
            escaped + printable + above,
            r"\xc2\x9b2J\xe2\x80\xae",
            "end",
            "> typed",
        )
        assert terminal.title() == title


def test_a_paste_of_many_lines_sends_each(shell, server):
    terminal = shell("127.0.0.1", server.port)
    terminal.wait_for(PROMPT)
    terminal.paste("one\ntwo\nthree")
    terminal.wait_for("> three")
    terminal.press("Enter")
    lines = terminal.wait_for("three", PROMPT)
    assert [line for line in lines if line.startswith("> ")] == ["> one", "> two", "> three"]
    assert [line for line in lines if line in ("one", "two", "three")] == ["one", "two", "three"]


@pytest.mark.parametrize("columns", [25, 30, 40, 120])
def test_a_long_line_is_on_the_screen_once_after_the_width_has_changed(shell, peer, columns):
    listener, words = peer
    terminal = shell(*words)
    with accept(listener) as sock:
        terminal.wait_for(PROMPT)
        # tmux moves rows at the top of its screen into the history, where nothing can erase them.
        sock.sendall(b"above\r\n" * 15)
        terminal.wait_for("above", PROMPT)
        typed = "".join(f"word{number}-" for number in range(25))
        terminal.type(typed)
        eventually(lambda: "".join(terminal.lines()).endswith(typed), "the line is typed")
        terminal.resize(columns, 24)
        row = f"> {typed}"[:columns]
        eventually(lambda: row in terminal.lines(), "the line is drawn again")
        terminal.type("end")
        eventually(lambda: "".join(terminal.lines()).endswith("end"), "the end is typed")
        sock.sendall(b"news\r\n")
        eventually(lambda: "news" in terminal.lines(), "the news is there")
        eventually(lambda: "".join(terminal.lines()).endswith("end"), "the prompt is drawn")
        assert "".join(terminal.lines()).partition("news")[2] == f"> {typed}end"
        assert "".join(terminal.lines()).count("word0-") == 1


def test_a_line_of_a_hundred_thousand_characters(shell, server):
    line = "0123456789" * 10_000
    terminal = shell("127.0.0.1", server.port)
    terminal.wait_for(PROMPT)
    terminal.paste(line + "\n")
    terminal.wait_for(f"> {line}", line, PROMPT)
    terminal.press("Up")
    terminal.press("Enter")
    terminal.wait_for(f"> {line}", line, PROMPT)


def test_the_server_going_away_is_said_at_once_and_what_was_typed_is_kept(shell, peer):
    listener, words = peer
    terminal = shell("--once", *words)
    with accept(listener):
        terminal.wait_for(PROMPT)
        terminal.type("not sent yet")
        terminal.wait_for("> not sent yet")
    terminal.wait_for(
        f"{':'.join(words)} closed the connection.", "closed> not sent yet", "[status 0]"
    )

    again = shell(*words)
    with accept(listener):
        again.wait_for(PROMPT)
        again.press("Up")
        again.wait_for("> not sent yet")


def test_a_reset_is_said_and_is_status_1(shell, peer):
    listener, words = peer
    terminal = shell("--once", *words)
    with accept(listener) as sock:
        terminal.wait_for(PROMPT)
        sock.setsockopt(*RESET_AT_CLOSE)
    hint = "(before it sent anything; if it speaks TLS, give tls://)"
    assert terminal.wait_for("[status 1]")[1:] == [
        f"echoproto: {':'.join(words)}: Connection reset by peer {hint}",
        "[status 1]",
    ]


def test_what_cannot_be_connected_to_is_one_clear_line(shell):
    terminal = shell("127.0.0.1", "1")
    lines = terminal.wait_for("[status 1]")
    assert lines == ["echoproto: cannot connect to 127.0.0.1:1: Connection refused", "[status 1]"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(shell, server, number, status):
    terminal = shell("127.0.0.1", server.port)
    terminal.wait_for(PROMPT)
    os.kill(terminal.pid(), number)
    terminal.wait_for(f"[status {status}]")
    terminal.type("shown as it is typed")
    terminal.wait_for(f"[status {status}]", "shown as it is typed")


@pytest.mark.parametrize("flood", [b"a line of the flood\n" * 3000, b"\n" * 60_000])
def test_in_a_flood_without_end_lines_are_sent_and_ctrl_d_ends(shell, peer, flood):
    listener, words = peer
    terminal = shell(*words)
    with accept(listener) as sock:
        terminal.wait_for(PROMPT)

        def send_for_ever():
            with suppress(OSError):
                while True:
                    sock.sendall(flood)

        flooding = Thread(target=send_for_ever)
        flooding.start()
        enter(terminal, "stop")
        assert receive_exactly(sock, 6) == b"stop\r\n"
        terminal.press("C-d", "C-d")  # the second, because the flood goes on
        eventually(lambda: "[status 0]" in terminal.lines()[-1], "the shell ends")
        flooding.join(DEADLINE)
        assert not flooding.is_alive()


def test_all_of_the_start_of_a_line_is_shown_when_it_is_answered(shell, peer):
    listener, words = peer
    terminal = shell(*words)
    with accept(listener) as sock:
        start = "HEAD" + "h" * 50 + " login:"
        sock.sendall(start.encode())
        terminal.wait_for(start[-60:])
        sock.sendall(b" (more)")
        terminal.wait_for(f"{start} (more)"[-60:])
        enter(terminal, "me")
        terminal.wait_for(f"{start} (more)me", PROMPT)


def test_commands_are_completed_and_have_a_history_of_their_own_that_lasts(shell, peer):
    listener, words = peer
    prompt = "echoproto>"
    terminal = shell(*words)
    with accept(listener) as sock:
        terminal.wait_for(PROMPT)
        enter(terminal, "a line")
        terminal.wait_for("> a line", PROMPT)
        terminal.type("half a li")
        terminal.press("C-]")
        terminal.wait_for(prompt)
        terminal.press("Tab")
        terminal.see(has("end the shell, as Ctrl-D does"))
        terminal.type("opt")
        terminal.press("Tab")
        terminal.wait_for(f"{prompt} options")
        terminal.press("Enter")
        terminal.wait_for("The server has not negotiated telnet.", "> half a li")
        terminal.press("C-]")
        enter(terminal, "snd ayt")
        said = "Unknown command 'snd'; did you mean send? Use help for a list."
        terminal.wait_for(f"{prompt} snd ayt", said, "> half a li")
        terminal.press("C-]")
        terminal.wait_for(prompt)
        terminal.press("Up", "Up")
        terminal.wait_for(f"{prompt} options")
        terminal.press("Up")
        terminal.wait_for(f"{prompt} options")
        terminal.press("C-c")
        terminal.wait_for("> half a li")
        enter(terminal, "ne")
        assert receive_exactly(sock, 21) == b"a line\r\nhalf a line\r\n"
        # prompt_toolkit loads the history again after each line, when it draws the prompt.
        terminal.wait_for("> half a line", PROMPT)
        terminal.press("Up", "Up")
        terminal.wait_for("> a line")
        terminal.press("Up")
        terminal.wait_for("> a line")

    again = shell(*words)
    with accept(listener):
        again.wait_for(PROMPT)
        again.press("C-]")
        again.wait_for(prompt)
        again.press("Up")
        again.wait_for(f"{prompt} snd ayt")


def test_the_server_going_away_while_a_command_is_typed_leaves_it_and_the_line(shell, peer):
    listener, words = peer
    terminal = shell(*words)
    with accept(listener):
        terminal.wait_for(PROMPT)
        terminal.type("half a line")
        terminal.press("C-]")
        terminal.type("send a")
        terminal.wait_for("echoproto> send a")
    terminal.wait_for("Enter connects again; Ctrl-D quits.", "echoproto> send a")
    terminal.press("C-c")
    terminal.wait_for("closed> half a line")


def test_with_once_a_command_that_is_typed_gives_way_to_the_line(shell, peer):
    listener, words = peer
    terminal = shell("--once", *words)
    with accept(listener):
        terminal.wait_for(PROMPT)
        terminal.type("half a line")
        terminal.press("C-]")
        terminal.type("send a")
        terminal.wait_for("echoproto> send a")
    terminal.wait_for(
        f"{':'.join(words)} closed the connection.", "closed> half a line", "[status 0]"
    )
