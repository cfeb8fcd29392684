"""The screen: what is typed and what comes, as the terminal is told to show it."""

from __future__ import annotations

import asyncio
import signal

import pytest
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.layout import Layout

from in_shell import (
    CTRL_R,
    CTRL_U,
    CTRL_Y,
    DO,
    DONT,
    ECHO,
    ENTER,
    SGA,
    WILL,
    WONT,
    in_shell,
)
from peers import peer
from support import BIN
from terminal import Terminal


def test_a_reply_is_shown_while_a_line_is_being_typed():
    async def script(type_, peer, screen):
        type_("half a li")
        await screen.shows("half a li")
        await peer.say(b"news\r\n")
        await screen.shows("news\r\n")
        type_("ne" + ENTER)
        await peer.has_received(b"half a line\r\n")

    received, _ = in_shell(script)
    assert received == b"half a line\r\n"


def test_a_reply_leaves_a_search_in_the_history_alone():
    async def script(type_, peer, screen):
        type_(CTRL_R + "earl")
        await screen.shows("`earl'")
        await peer.say(b"news\r\nmore")
        await screen.shows("news\r\n")
        type_("ier" + ENTER + ENTER)
        await peer.has_received(b"\r\n")

    received, _ = in_shell(script, history=InMemoryHistory(["an earlier line"]))
    assert received == b"an earlier line\r\n"


def test_nothing_that_the_peer_sends_acts_on_the_terminal():
    hostile = b"\x1b]0;title\x07\x1b[31m\x1b[2J\x9b5A\x0e\x7f\xff \xc2\x9b1m \xe2\x80\xae"

    async def script(_, peer, screen):
        await peer.say(b"start" + hostile + b"end\r\n" + b"and a prompt" + hostile)
        await screen.shows("end")
        await screen.shows("and a prompt")

    _, shown = in_shell(script)
    escaped = r"\x1b]0;title\x07\x1b[31m\x1b[2J\x9b5A\x0e\x7f\xff \xc2\x9b1m \xe2\x80\xae"
    for part in escaped.split(" "):
        for text in part.replace("\\", " \\").split():
            assert text in shown.text
    for control in ("\x1b]0;title", "\x1b[31m", "\x1b[2J", "\x0e", "\x7f", "\x9b", "\u202e"):
        assert control not in shown.getvalue()


def test_the_start_of_a_line_is_the_prompt_until_its_end_comes():
    async def script(type_, peer, screen):
        await peer.say(b"login: ")
        await screen.shows("login: ")
        type_("me" + ENTER)
        await peer.has_received(b"me\r\n")
        await peer.say(b"\r\nwelcome\r\n")
        await screen.shows("welcome")

    _, shown = in_shell(script)
    # Between two prints the prompt may have been drawn.
    assert "login: me\r\n\r\nwelcome\r\n" in shown.text.replace("\r\n> ", "\r\n")


def test_what_the_peer_says_last_is_shown_also_without_a_line_end():
    async def script(_, peer, __):
        await peer.say(b"goodbye")
        peer.writer.write_eof()

    _, shown = in_shell(script, once=True)
    assert "goodbye⏎\r\n" in shown.text


def test_a_line_of_a_hundred_thousand_characters():
    line = "0123456789" * 10_000

    async def script(type_, peer, screen):
        # More than the pipe that stands for the keyboard holds.
        await asyncio.to_thread(type_, f"\x1b[200~{line}\x1b[201~" + ENTER)
        await peer.has_received(line.encode() + b"\r\n")
        await peer.say(line.encode() + b"!\r\n")
        await screen.shows(line + "!")

    assert in_shell(script)[0] == line.encode() + b"\r\n"


def test_a_line_without_end_is_shown_in_pieces_and_nothing_of_it_is_lost():
    async def script(_, peer, screen):
        for _ in range(40):
            await peer.say(b"x" * 65536)
        await peer.say(b"end\nnext\n")
        await screen.shows("next\r\n")

    _, shown = in_shell(script)
    assert shown.text.count("x") >= 40 * 65536
    assert "xend\r\n" in shown.text


def test_while_the_server_echoes_what_is_typed_is_hidden_and_not_kept():
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        await peer.say(b"login: ")
        await screen.shows("login: ")
        type_("alice" + ENTER)
        await peer.has_received(b"alice\r\n")
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret")
        await screen.shows("******")
        type_(ENTER)
        await peer.has_received(b"secret\r\n")
        await peer.say(WONT + ECHO + b"\r\nwelcome\r\n$ ")
        await screen.shows("$ ")
        type_("ls" + ENTER)
        await peer.has_received(b"ls\r\n")

    received, shown = in_shell(script, history=history)
    assert received == b"alice\r\n" + DO + ECHO + b"secret\r\n" + DONT + ECHO + b"ls\r\n"
    assert "secret" not in shown.text
    assert history.get_strings() == ["alice", "ls"]
    for line in ("login: alice\r\n", "Password: \r\nwelcome\r\n", "$ ls\r\n"):
        assert line in shown.text


def test_what_was_being_typed_hidden_is_not_shown_when_the_server_stops_echoing():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret")
        await screen.shows("******")
        await peer.say(WONT + ECHO + b"\r\ntoo late\r\nlogin: ")
        await screen.shows("login: ")
        type_("alice" + ENTER)
        await peer.has_received(b"alice\r\n")

    received, shown = in_shell(script)
    assert "secret" not in shown.text
    assert received.endswith(b"\x01alice\r\n")


def test_what_was_being_typed_in_the_clear_is_no_part_of_a_password_and_comes_back():
    async def script(type_, peer, screen):
        type_("my draft")
        await screen.shows("my draft")
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret" + ENTER)
        await peer.has_received(b"secret\r\n")
        await peer.say(WONT + ECHO + b"\r\n")
        await peer.has_received(DONT + ECHO)
        type_(ENTER)
        await peer.has_received(b"my draft\r\n")

    received, shown = in_shell(script)
    assert received == DO + ECHO + b"secret\r\n" + DONT + ECHO + b"my draft\r\n"
    assert "secret" not in shown.text


def test_what_was_being_typed_hidden_is_not_kept_when_the_server_closes():
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret")
        await screen.shows("******")
        peer.writer.close()

    _, shown = in_shell(script, history=history, once=True)
    assert "secret" not in shown.text
    assert history.get_strings() == []


def test_the_history_suggests_nothing_for_what_is_hidden():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("sec")
        await screen.shows("***")
        type_("\x1b[C" + ENTER)  # Right would take the suggestion
        await peer.has_received(b"sec\r\n")

    history = InMemoryHistory(["secure"])
    received, shown = in_shell(script, history=history)
    assert b"secure" not in received
    assert "ure" not in shown.text


def test_what_was_hidden_does_not_come_back_out_of_the_kill_ring():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret" + CTRL_U + "x")
        await screen.shows("Password: *")
        await peer.say(WONT + ECHO + b"\r\nlogin: ")
        await screen.shows("login: ")
        type_(CTRL_Y + "me" + ENTER)
        await peer.has_received(b"me\r\n")

    received, shown = in_shell(script)
    assert b"secret" not in received
    assert "secret" not in shown.text


def test_a_server_that_takes_each_key_is_sent_cr_nul_and_its_echo_is_what_is_shown():
    async def script(type_, peer, screen):
        await peer.say(WILL + SGA + WILL + ECHO + b"$ ")
        await screen.shows("$")
        type_("ls" + ENTER)
        await peer.has_received(b"ls\r\0")
        await peer.say(b"\x1b[2D\x1b[J\x1b[1m$ ls\x1b[0m\r\r\nfile\r\n$\x08\x1b[2C")
        await screen.shows("file")

    _, shown = in_shell(script)
    assert "$ ls\r\nfile\r\n" in shown.text


def test_a_server_that_begins_and_ends_character_mode_without_end_is_followed_once(monkeypatch):
    focused = []
    focus = Layout.focus

    def note(layout, value):
        focused.append(value)
        focus(layout, value)

    async def script(type_, peer, screen):
        await peer.say(WILL + SGA + b"ready\r\n")
        await screen.shows("ready")
        monkeypatch.setattr(Layout, "focus", note)
        await peer.say((WILL + ECHO + b"." + WONT + ECHO + b".") * 500 + b"\r\ndone\r\n")
        await screen.shows("done")
        monkeypatch.undo()
        type_("line" + ENTER)
        await peer.has_received(b"line\r\n")

    in_shell(script)
    assert len(focused) < 100


def test_sigint_is_left_to_the_program():
    received = []

    async def script(*_):
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        in_shell(script)
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == [signal.SIGINT]


def test_in_character_mode_the_cursor_is_where_the_server_has_put_it():
    async def script(_, peer, screen):
        await peer.say(WILL + SGA + WILL + ECHO + b"login: ")
        await screen.has_cursor_behind("login: ")
        await peer.say("žluťou日本\b\b\b\b".encode())
        await screen.has_cursor_behind("login: žluťou")

    in_shell(script)


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colours", "NO_COLOR"])
def test_two_replies_without_a_line_end_are_two_lines_each_marked(environment):
    def serve(sock):
        while data := sock.recv(100):
            sock.sendall(data.strip())

    with peer(serve) as (_, port):
        command = [BIN / "echoproto", f"127.0.0.1:{port}"]
        with Terminal(*command, env=environment) as terminal:
            terminal.wait_for(">")
            for word in ("hello", "world"):
                terminal.type(word)
                terminal.press("Enter")
                terminal.wait_for(f"> {word}", f"{word}⏎", ">")
            rows = terminal.screen()
            reversed_cells = [
                rows.buffer[row][column].data
                for row in range(rows.lines)
                for column in range(rows.columns)
                if rows.buffer[row][column].reverse
            ]
            terminal.press("C-d")
            terminal.wait_for("> hello", "hello⏎", "> world", "world⏎", "[status 0]")
    assert reversed_cells == ["⏎", "⏎"]
