"""The shell in a telnet connection: what is negotiated, hidden, prompted and commanded."""

from __future__ import annotations

import pytest
from prompt_toolkit.history import InMemoryHistory

from in_shell import CTRL_C, CTRL_D, ENTER, in_shell

IAC, SB, SE = b"\xff", b"\xff\xfa", b"\xff\xf0"
WILL, WONT, DO, DONT = (IAC + bytes([code]) for code in (251, 252, 253, 254))
BINARY, ECHO, SGA, TTYPE, NAWS = (bytes([option]) for option in (0, 1, 3, 24, 31))
CTRL_BRACKET, CTRL_R, CTRL_U, CTRL_Y = "\x1d", "\x12", "\x15", "\x19"
SIZE = SB + NAWS + b"\0\x50\0\x18" + SE


def test_it_turns_to_telnet_when_the_server_negotiates():
    async def script(type_, peer, screen):
        await peer.say(b"welcome \xc3\xbf\r\n" + DO + NAWS + DO + TTYPE + SB + TTYPE + b"\1" + SE)
        await peer.has_received(SB + TTYPE + b"\0dumb" + SE)
        await peer.say(b"a\xff\xffb\r\n")
        await screen.shows(r"a\xffb")
        type_("hello" + ENTER)
        await peer.has_received(b"hello\r\n")

    received, shown = in_shell(script)
    assert "welcome ÿ" in shown.text
    assert received == (
        WILL + NAWS + SIZE + WILL + TTYPE + SB + TTYPE + b"\0dumb" + SE + b"hello\r\n"
    )


def test_never_is_never():
    async def script(_, peer, screen):
        await peer.say(DO + NAWS + b"\r\n")
        await screen.shows(r"\xff\xfd\x1f")

    received, _ = in_shell(script, telnet="never")
    assert received == b""


def test_always_does_not_wait_for_the_server():
    async def script(_, peer, screen):
        await peer.say(b"a\xff\xffb\r\n")
        await screen.shows(r"a\xffb")

    in_shell(script, telnet="always")


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


def test_what_was_being_typed_hidden_is_not_kept_when_the_server_closes():
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret")
        await screen.shows("******")
        peer.writer.close()

    _, shown = in_shell(script, history=history, ends=True)
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


def test_a_server_that_takes_each_key_is_sent_cr_nul_and_its_echo_is_what_is_shown():
    async def script(type_, peer, screen):
        await peer.say(WILL + SGA + WILL + ECHO + b"$ ")
        await screen.shows("$ ")
        type_("ls" + ENTER)
        await peer.has_received(b"ls\r\0")
        await peer.say(b"\x1b[2D\x1b[J\x1b[1m$ ls\x1b[0m\r\r\nfile\r\n$\x08\x1b[2C")
        await screen.shows("file")

    _, shown = in_shell(script)
    assert "$ ls\r\nfile\r\n" in shown.text


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_a_line_end_that_was_asked_for_is_what_is_sent(eol):
    async def script(type_, peer, screen):
        await peer.say(WILL + SGA + WILL + ECHO + b"$ ")
        await screen.shows("$ ")
        type_("ls" + ENTER)
        await peer.has_received(b"ls" + eol)

    in_shell(script, eol=eol)


def test_what_is_typed_that_is_no_text_is_escaped_for_telnet():
    async def script(type_, peer, _):
        type_("\udcff" + ENTER)
        await peer.has_received(b"\xff\xff\r\n")

    in_shell(script, telnet="always")


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


def test_what_is_hidden_cannot_be_searched_for_in_clear():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_(CTRL_R + "secret" + ENTER)
        await peer.has_received(b"secret\r\n")

    _, shown = in_shell(script)
    assert "secret" not in shown.text


def test_a_server_that_stops_echoing_leaves_a_command_alone():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("secret" + CTRL_BRACKET + "opt")
        await screen.shows("echoproto> opt")
        await peer.say(WONT + ECHO + b"\r\nlogin: ")
        await peer.has_received(DONT + ECHO)
        type_("ions" + ENTER)
        await screen.shows("echoproto> options\r\n")
        type_("me" + ENTER)
        await peer.has_received(b"me\r\n")

    received, shown = in_shell(script)
    assert received == DO + ECHO + DONT + ECHO + b"me\r\n"
    assert "secret" not in shown.text


# The command line


def test_a_command_to_the_shell_leaves_what_is_being_typed_and_the_history_alone():
    history = InMemoryHistory(["before"])

    async def script(type_, peer, screen):
        type_("half a li")
        await screen.shows("half a li")
        type_(CTRL_BRACKET)
        await screen.shows("echoproto> ")
        type_("send ayt" + ENTER)
        await peer.has_received(b"\xff\xf6")
        type_("ne" + ENTER)
        await peer.has_received(b"half a line\r\n")

    in_shell(script, history=history)
    assert history.get_strings() == ["before", "half a line"]


@pytest.mark.parametrize("leave", [ENTER, CTRL_C, CTRL_BRACKET])
def test_ways_back_from_the_command_line(leave):
    async def script(type_, peer, screen):
        type_("half a li" + CTRL_BRACKET)
        await screen.shows("echoproto> ")
        type_(("" if leave == ENTER else "quit") + leave + "ne" + ENTER)
        await peer.has_received(b"half a line\r\n")

    received, _ = in_shell(script)
    assert received == b"half a line\r\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *[("ayt", 246), ("brk", 243), ("ip", 244), ("eof", 236), ("abort", 238), ("ao", 245)],
        *[("ec", 247), ("el", 248), ("nop", 241), ("susp", 237)],
    ],
)
def test_commands_are_sent_in_their_place_among_the_lines(name, code):
    async def script(type_, peer, _):
        type_("one" + ENTER + CTRL_BRACKET + f"send {name}" + ENTER + "two" + ENTER)
        await peer.has_received(b"two\r\n")

    received, _ = in_shell(script)
    assert received == b"one\r\n\xff" + bytes([code]) + b"two\r\n"


def test_a_command_where_telnet_is_ruled_out_says_so():
    async def script(type_, _, screen):
        type_(CTRL_BRACKET + "send ayt" + ENTER)
        await screen.shows("This connection is not telnet.")

    assert in_shell(script, telnet="never")[0] == b""


def test_options_in_words():
    async def script(type_, peer, screen):
        type_(CTRL_BRACKET + "options" + ENTER)
        await screen.shows("Not telnet: the server has shown none.")
        await peer.say(WILL + ECHO + DO + NAWS)
        await peer.has_received(SIZE)
        type_(CTRL_BRACKET + "options" + ENTER)
        await screen.shows("This shell tells its window size, 80x24 (NAWS).")

    _, shown = in_shell(script)
    assert "The server echoes what is typed, so that it is hidden here (ECHO).\r\n" in shown.text


def test_what_is_no_command_is_answered_with_what_would_be_one():
    async def script(type_, _, screen):
        for command in ("snd ayt", "send nothing", "send"):
            type_(CTRL_BRACKET + command + ENTER)
            await screen.shows(f"There is no command '{command}'.\r\nsend ayt ")

    assert in_shell(script)[0] == b""


def test_a_command_is_not_hidden_while_the_server_echoes():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_("sec" + CTRL_BRACKET + "options" + ENTER)
        await screen.shows("echoproto> options\r\n")
        type_("ret" + ENTER)
        await peer.has_received(b"secret\r\n")

    _, shown = in_shell(script)
    assert "sec" not in shown.text.replace("echoproto> options", "")


def test_it_does_not_answer_ayt_for_that_would_be_typed_to_the_server():
    async def script(_, peer, screen):
        await peer.say(b"\xff\xf6there?\r\n")
        await screen.shows("there?")

    assert in_shell(script, telnet="always")[0] == b""


@pytest.mark.parametrize("how", ["quit" + ENTER, CTRL_D])
def test_quit_ends(how):
    async def script(type_, peer, _):
        type_("last" + ENTER + CTRL_BRACKET + how)
        await peer.has_received(b"last\r\n")
        async with peer._changed:
            await peer._changed.wait_for(lambda: peer.ended)

    in_shell(script)
