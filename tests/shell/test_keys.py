"""The keys, at the prompt for lines and at that for commands."""

from __future__ import annotations

import asyncio

import pytest
from prompt_toolkit.history import InMemoryHistory

from echoproto.shell.commands import COMMANDS
from in_shell import (
    CTRL_BRACKET,
    CTRL_C,
    CTRL_D,
    CTRL_R,
    CTRL_U,
    DO,
    DONT,
    ECHO,
    ENTER,
    F1,
    TAB,
    UP,
    WILL,
    WONT,
    in_shell,
)

FIRST_COMMANDS = "".join(f"{name:9} {COMMANDS[name].help}\r\n" for name in [*COMMANDS][:3])

# At the prompt for lines


def test_ctrl_c_clears_the_line():
    async def script(type_, peer, _):
        type_("wrong" + CTRL_C + "right" + ENTER)
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] == b"right\r\n"


def test_ctrl_d_ends_only_on_an_empty_line_and_what_was_typed_is_sent():
    async def script(type_, _, __):
        type_("a" + CTRL_D + "b" + ENTER)

    assert in_shell(script)[0] == b"ab\r\n"


def test_a_paste_of_many_lines_sends_each():
    async def script(type_, peer, _):
        type_("typed, \x1b[200~one\rtwo\r\nthree\nfo\x1b[201~ur" + ENTER)
        await peer.has_received(b"four\r\n")

    assert in_shell(script)[0] == b"typed, one\r\ntwo\r\nthree\r\nfour\r\n"


def test_a_paste_of_many_lines_is_printed_and_sent_at_once():
    lines = [f"line {number}" for number in range(20_000)]

    async def script(type_, peer, screen):
        printed = len(screen.writes)
        await asyncio.to_thread(type_, "\x1b[200~" + "\n".join(lines) + "\n\x1b[201~")
        await peer.has_received(b"line 19999\r\n")
        assert len(screen.writes) - printed < 100

    received, shown = in_shell(script)
    assert received.decode().splitlines() == lines
    assert "".join(f"> {line}\r\n" for line in lines) in shown.text


def test_ctrl_c_stops_what_is_still_to_be_sent():
    lines = [f"{number:02000}" for number in range(4000)]

    async def script(type_, peer, screen):
        await peer.connected.wait()
        peer.writer.transport.pause_reading()
        await asyncio.to_thread(type_, "\x1b[200~" + "\n".join(lines) + "\n\x1b[201~")
        await screen.shows(f"> {lines[-1]}\r\n")
        type_(CTRL_C)
        await screen.shows(" lines were not sent.\r\n")
        type_("after" + ENTER)
        peer.writer.transport.resume_reading()
        await peer.has_received(b"after\r\n")

    received, shown = in_shell(script)
    sent = received.decode().split("\r\n")[:-2]
    assert sent == lines[: len(sent)]
    unsent = len(lines) - len(sent)
    assert f"Stopped: the last {unsent:,} lines were not sent." in shown.text


def test_a_tab_and_bytes_that_are_no_text_are_sent_as_they_were_typed():
    async def script(type_, peer, _):
        type_("a\tb\udcff\udc80ü" + ENTER)
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] == b"a\tb\xff\x80\xc3\xbc\r\n"


def test_up_finds_earlier_lines():
    history = InMemoryHistory(["the first", "something else"])

    async def script(type_, peer, _):
        type_(UP + UP + ENTER)
        await peer.has_received(b"the first\r\n")

    in_shell(script, history=history)


def test_what_is_hidden_cannot_be_searched_for_in_clear():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_(CTRL_R + "secret" + ENTER)
        await peer.has_received(b"secret\r\n")

    _, shown = in_shell(script)
    assert "secret" not in shown.text


def test_the_command_line_opens_from_a_search_which_leaves_what_was_being_typed():
    async def script(type_, peer, screen):
        type_("draft" + CTRL_R + "ear")
        await screen.shows("reverse-i-search")
        type_(CTRL_BRACKET + "send ayt" + ENTER)
        await peer.has_received(b"\xff\xf6")
        type_(ENTER)
        await peer.has_received(b"draft\r\n")

    received, _ = in_shell(script, history=InMemoryHistory(["earlier"]))
    assert received == b"\xff\xf6draft\r\n"


def test_a_search_ends_when_what_is_typed_becomes_hidden():
    async def script(type_, peer, screen):
        type_("draft" + CTRL_R + "ear")
        await screen.shows("reverse-i-search")
        await peer.say(WILL + ECHO + b"Password: ")
        await screen.shows("Password: ")
        type_(CTRL_U + "secret" + ENTER)
        await peer.has_received(b"secret\r\n")

    received, shown = in_shell(script, history=InMemoryHistory(["earlier"]))
    assert received == DO + ECHO + b"secret\r\n"
    assert "secret" not in shown.text


# At the prompt for commands


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


def test_up_finds_earlier_commands_and_never_lines():
    lines = InMemoryHistory(["an earlier line"])
    commands = InMemoryHistory(["options"])

    async def script(type_, peer, screen):
        async def up(times, mark):
            type_(CTRL_BRACKET + mark)
            await screen.shows(mark)  # drawn: from then on there is a history
            type_(CTRL_U + UP * times + ENTER)

        type_("a line" + ENTER + CTRL_BRACKET + "send nop" + ENTER)
        await peer.has_received(b"\xff\xf1")
        await up(1, "first")
        await peer.has_received(b"\xff\xf1\xff\xf1")
        await up(9, "second")
        await screen.shows("no options in effect.")
        type_("third")
        await screen.shows("third")
        type_(CTRL_U + UP * 2 + ENTER)
        await peer.has_received(b"an earlier line\r\n")

    received, _ = in_shell(script, history=lines, command_history=commands, telnet="always")
    assert received == b"a line\r\n\xff\xf1\xff\xf1an earlier line\r\n"
    assert commands.get_strings() == ["options", "send nop", "options"]
    assert lines.get_strings() == ["an earlier line", "a line", "an earlier line"]


def test_a_command_that_was_left_is_not_kept():
    commands = InMemoryHistory()

    async def script(type_, peer, _):
        type_(CTRL_BRACKET + "left" + CTRL_C + CTRL_BRACKET + "  " + ENTER + "line" + ENTER)
        await peer.has_received(b"line\r\n")

    in_shell(script, command_history=commands)
    assert commands.get_strings() == []


def test_tab_completes_a_command_and_its_argument():
    async def script(type_, peer, _):
        type_(CTRL_BRACKET + "sen" + TAB + " ay" + TAB + ENTER)
        await peer.has_received(b"\xff\xf6")

    received, shown = in_shell(script)
    assert "are you there" not in shown.text
    assert "echoproto> send ayt\r\n" in shown.text
    assert received == b"\xff\xf6"


def test_tab_says_what_there_is_where_it_can_not_go_on():
    async def script(type_, peer, screen):
        type_(CTRL_BRACKET + TAB)
        await screen.shows(FIRST_COMMANDS)
        type_("send a" + TAB)
        await screen.shows("ayt      are you there\r\nabort    abort process\r\nao       abort out")
        type_("o" + TAB + ENTER)
        await peer.has_received(b"\xff\xf5")

    received, _ = in_shell(script)
    assert received == b"\xff\xf5"


def test_tab_completes_the_names_of_files(tmp_path):
    (tmp_path / "two words").write_bytes(b"from a file")
    (tmp_path / "two\x1bworlds").touch()

    async def script(type_, peer, screen):
        type_(CTRL_BRACKET + f"send-file {tmp_path}/tw" + TAB)
        type_(TAB)
        await screen.shows(f'"{tmp_path}/two\\x1bworlds"\r\n"{tmp_path}/two words"\r\n')
        type_(" " + TAB + ENTER)
        await peer.has_received(b"from a file")
        await screen.shows(f"11 bytes of {tmp_path}/two words were sent.\r\n")

    assert in_shell(script)[0] == b"from a file"


def test_ctrl_c_stops_a_file_and_says_how_much_of_it_was_not_sent(tmp_path):
    size = 50_000_000
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        peer.writer.transport.pause_reading()
        type_(CTRL_BRACKET + f"send-file {tmp_path}/large" + ENTER)
        type_("typed" + ENTER)
        await screen.shows("> typed\r\n")
        type_(CTRL_C)
        await screen.shows("Stopped: the last line was not sent.\r\n")
        type_("after" + ENTER)
        peer.writer.transport.resume_reading()
        await peer.has_received(b"after\r\n")

    received, shown = in_shell(script)
    unsent = size - len(received.removesuffix(b"after\r\n"))
    assert f"Stopped: {unsent:,} of the {size:,} bytes of {tmp_path}/large were" in shown.text


@pytest.mark.parametrize("literal", ["\x16", "\x11"], ids=["Ctrl-V", "Ctrl-Q"])
@pytest.mark.parametrize(
    ("key", "typed", "sent"),
    [
        (CTRL_BRACKET, "^]", r"\x1d"),
        (CTRL_C, "^C", r"\x03"),
        (CTRL_D, "^D", r"\x04"),
        (ENTER, "^M", r"\x0d"),
        (UP, "^[[A", r"\x1b[A"),
        ("\x16", "^V", r"\x16"),
        ("\0", "^@", r"\x00"),
    ],
    ids=["Ctrl-]", "Ctrl-C", "Ctrl-D", "Enter", "Up", "Ctrl-V", "Ctrl-Space"],
)
def test_a_literal_key_is_shown_escaped_and_sent_as_it_is(literal, key, typed, sent):
    async def script(type_, peer, screen):
        type_("a" + literal + key + "b")
        await screen.shows(f"> a{typed}b")
        type_(ENTER)
        await screen.shows(f"> a{sent}b\r\n")
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] == b"a" + key.encode() + b"b\r\n"


@pytest.mark.parametrize("typed", ["nosuch", "send nosuch", "send ayt x"])
def test_tab_adds_nothing_to_what_can_become_no_command(typed):
    commands = InMemoryHistory()

    async def script(type_, _, screen):
        type_(CTRL_BRACKET + typed + TAB + ENTER)
        await screen.shows(f"echoproto> {typed}\r\n")

    assert in_shell(script, command_history=commands)[0] == b""
    assert commands.get_strings() == [typed]


def test_tab_completes_what_stands_before_the_cursor():
    async def script(type_, peer, _):
        type_(CTRL_BRACKET + " ayt" + "\x01" + "sen" + TAB + ENTER)  # Ctrl-A: to the start
        await peer.has_received(b"\xff\xf6")

    in_shell(script)


def test_ctrl_d_in_the_middle_of_a_command_does_not_end():
    async def script(type_, peer, _):
        type_(CTRL_BRACKET + "send ayt" + CTRL_D + ENTER)
        await peer.has_received(b"\xff\xf6")
        type_("line" + ENTER)
        await peer.has_received(b"line\r\n")

    in_shell(script)


def test_what_comes_while_a_command_is_typed_leaves_it_alone():
    async def script(type_, peer, screen):
        type_(CTRL_BRACKET + "send a")
        await screen.shows("send a")
        await peer.say(b"news\r\nlogin: ")
        await screen.shows("news\r\n")
        type_("yt" + ENTER)
        await peer.has_received(b"\xff\xf6")

    in_shell(script)


def test_up_without_earlier_commands_says_what_there_is():
    async def script(type_, _, screen):
        type_(CTRL_BRACKET + UP)
        await screen.shows(FIRST_COMMANDS)
        type_(CTRL_C)

    in_shell(script)


def test_a_tab_that_is_typed_is_shown_as_columns():
    async def script(type_, peer, screen):
        type_("a\tb")
        await screen.shows("> a       b")
        type_(ENTER)
        await peer.has_received(b"a\tb\r\n")

    _, shown = in_shell(script)
    assert "^I" not in shown.text


@pytest.mark.parametrize("before", ["", CTRL_BRACKET])
def test_f1_lists_the_keys_at_both_prompts(before):
    async def script(type_, _, screen):
        type_(before + "ty" + F1)
        await screen.shows("While you type a line:")
        await screen.shows("every other key goes to the server")
        type_(CTRL_C)

    in_shell(script)
