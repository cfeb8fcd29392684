"""The shell on a real connection, from its beginning to its end: what goes over the wire."""

from __future__ import annotations

import asyncio

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory

from echoproto.client.target import Target
from echoproto.errors import NetworkError
from echoproto.shell import conversation
from echoproto.shell.app import Options
from in_shell import (
    CTRL_BRACKET,
    CTRL_C,
    CTRL_D,
    DO,
    ECHO,
    ENTER,
    NAWS,
    SB,
    SE,
    SGA,
    TTYPE,
    WILL,
    in_shell,
)
from support import DEADLINE

SIZE = SB + NAWS + b"\0\x50\0\x18" + SE


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_one_line_typed_is_one_line_sent(line_end):
    async def script(type_, peer, _):
        type_("hello" + ENTER)
        await peer.has_received(b"hello" + line_end)
        type_(ENTER)
        await peer.has_received(line_end + line_end)

    received, shown = in_shell(script, line_end=line_end)
    assert received == b"hello" + line_end + line_end
    assert "hello\r\n" in shown.text


def test_when_the_peer_closes_the_shell_ends_and_what_was_typed_is_kept():
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        type_("not sent yet")
        await screen.shows("not sent yet")
        await peer.connected.wait()
        peer.writer.write_eof()

    received, _ = in_shell(script, history=history, once=True)
    assert received == b""
    assert history.get_strings() == ["not sent yet"]


def test_when_the_connection_is_reset_the_shell_ends_with_an_error():
    async def script(_, peer, __):
        await peer.connected.wait()
        peer.writer.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER
        peer.writer.transport.abort()

    with pytest.raises(NetworkError, match="Connection reset by peer"):
        in_shell(script, once=True)


def test_after_ctrl_d_what_the_peer_still_has_is_shown():
    async def script(type_, peer, _):
        peer.last_words = lambda: peer.say(b"so long\r\n")
        type_("quit" + ENTER)

    received, shown = in_shell(script)
    assert received == b"quit\r\n"
    assert "so long\r\n" in shown.text


def test_after_ctrl_d_a_long_answer_is_waited_for_while_it_comes(monkeypatch):
    monkeypatch.setattr(conversation, "LINGER", 0.3)

    async def script(type_, peer, _):
        async def answer():
            for number in range(6):
                await asyncio.sleep(0.1)
                await peer.say(b"part %d\r\n" % number)

        peer.last_words = answer
        type_("question" + ENTER)

    _, shown = in_shell(script)
    assert "part 5\r\n" in shown.text
    assert shown.text.count("Waiting for the rest. Ctrl-D or Ctrl-C ends the shell at once.") == 1


def test_after_ctrl_d_an_answer_that_takes_long_to_begin_is_waited_for(monkeypatch):
    monkeypatch.setattr(conversation, "LINGER", 0.1)

    async def script(type_, peer, screen):
        async def answer():
            await screen.shows("Waiting for the rest.")
            await peer.say(b"the answer\r\n")

        peer.last_words = answer
        type_("question" + ENTER)

    assert "the answer\r\n" in in_shell(script)[1].text


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
def test_a_second_ctrl_d_or_ctrl_c_waits_no_more(key, monkeypatch):
    monkeypatch.setattr(conversation, "LINGER", DEADLINE)

    async def script(type_, peer, _):
        async def wait():
            await peer.say(b"and so on\r\n")
            type_("x" + key)
            await asyncio.Event().wait()

        peer.last_words = wait
        type_("question" + ENTER)

    _, shown = in_shell(script)
    assert "and so on\r\n" in shown.text


def test_two_ctrl_d_at_once_do_not_wait(monkeypatch):
    monkeypatch.setattr(conversation, "LINGER", DEADLINE)

    async def script(type_, peer, _):
        peer.last_words = asyncio.Event().wait
        type_("last" + ENTER + CTRL_D)
        await peer.has_received(b"last\r\n")

    in_shell(script)


@pytest.mark.parametrize("how", ["quit" + ENTER, CTRL_D])
def test_quit_ends(how):
    async def script(type_, peer, _):
        type_("last" + ENTER + CTRL_BRACKET + how)
        await peer.has_received(b"last\r\n")
        async with peer._changed:
            await peer._changed.wait_for(lambda: peer.ended)

    in_shell(script)


@pytest.mark.parametrize(
    ("greeting", "shown"),
    [
        (b"login: \xff\xf9", "login: "),  # GA
        (b"\xff\xfc\x01login: ", "login: "),  # WONT ECHO
    ],
    ids=["GA", "WONT ECHO"],
)
def test_it_turns_to_telnet_when_the_server_only_marks_its_prompts_or_refuses(greeting, shown):
    async def script(type_, peer, screen):
        await peer.say(greeting)
        await screen.shows(shown)
        type_(CTRL_BRACKET + "options" + ENTER)
        await screen.shows("This shell has no options in effect.")

    in_shell(script)


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


def test_a_server_that_wants_to_know_is_told_when_the_terminal_has_another_size():
    async def script(type_, peer, screen):
        await peer.say(DO + NAWS)
        await peer.has_received(SIZE)
        screen.size = Size(50, 100)
        type_("a")
        await peer.has_received(SB + NAWS + b"\0\x64\0\x32" + SE)
        type_(CTRL_C)

    received, _ = in_shell(script)
    assert received == WILL + NAWS + SIZE + SB + NAWS + b"\0\x64\0\x32" + SE


def test_a_line_that_is_sent_after_the_terminal_has_another_size_is_sent_after_the_report():
    async def script(type_, peer, screen):
        await peer.say(DO + NAWS)
        await peer.has_received(SIZE)
        screen.size = Size(50, 100)  # the signal that says so is still to come
        type_("hello" + ENTER)
        await peer.has_received(b"hello\r\n")

    received, _ = in_shell(script)
    assert received == WILL + NAWS + SIZE + SB + NAWS + b"\0\x64\0\x32" + SE + b"hello\r\n"


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


def test_it_does_not_answer_ayt_for_that_would_be_typed_to_the_server():
    async def script(_, peer, screen):
        await peer.say(b"\xff\xf6there?\r\n")
        await screen.shows("there?")

    assert in_shell(script, telnet="always")[0] == b""


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_a_line_end_that_was_asked_for_is_what_is_sent(line_end):
    async def script(type_, peer, screen):
        await peer.say(WILL + SGA + WILL + ECHO + b"$ ")
        await screen.shows("$")
        type_("ls" + ENTER)
        await peer.has_received(b"ls" + line_end)

    in_shell(script, line_end=line_end)


def test_what_is_typed_that_is_no_text_is_escaped_for_telnet():
    async def script(type_, peer, _):
        type_("\udcff" + ENTER)
        await peer.has_received(b"\xff\xff\r\n")

    in_shell(script, telnet="always")


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


def test_when_the_peer_closes_while_a_command_is_typed_the_line_is_kept_and_not_the_command():
    history, commands = InMemoryHistory(), InMemoryHistory()

    async def script(type_, peer, screen):
        type_("half a line" + CTRL_BRACKET + "send a")
        await screen.shows("send a")
        peer.writer.write_eof()

    received, shown = in_shell(script, history=history, command_history=commands, once=True)
    assert received == b""
    assert (history.get_strings(), commands.get_strings()) == (["half a line"], [])
    assert shown.text.rstrip().endswith("> half a line")


@pytest.mark.parametrize(
    ("telnet", "target", "is_telnet"),
    [
        (None, "telnet://host.test", True),
        ("never", "telnet://host.test", True),  # which the user opens later
        ("auto", "telnet://host.test", False),
        ("always", "host.test:23", True),
        (None, "host.test:23", False),
    ],
)
def test_a_target_of_telnet_is_telnet_from_the_start(telnet, target, is_telnet):
    assert Options(telnet=telnet).codec(Target.parse(target)).is_telnet == is_telnet
