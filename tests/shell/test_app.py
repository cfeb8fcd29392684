"""The shell: keys in, printed text out."""

from __future__ import annotations

import asyncio
import stat

import pytest
from prompt_toolkit.history import InMemoryHistory

from echoproto.client.connection import NetworkError
from echoproto.shell.history import open_history
from in_shell import CTRL_C, CTRL_D, ENTER, UP, in_shell


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_one_line_typed_is_one_line_sent(eol):
    async def script(type_, peer, _):
        type_("hello" + ENTER)
        await peer.has_received(b"hello" + eol)
        type_(ENTER)
        await peer.has_received(eol + eol)

    received, shown = in_shell(script, eol=eol)
    assert received == b"hello" + eol + eol
    assert "hello\r\n" in shown.text


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

    _, shown = in_shell(script, ends=True)
    assert "goodbye\r\n" in shown.text


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


def test_a_line_of_a_hundred_thousand_characters():
    line = "0123456789" * 10_000

    async def script(type_, peer, screen):
        # More than the pipe that stands for the keyboard holds.
        await asyncio.to_thread(type_, f"\x1b[200~{line}\x1b[201~" + ENTER)
        await peer.has_received(line.encode() + b"\r\n")
        await peer.say(line.encode() + b"!\r\n")
        await screen.shows(line + "!")

    assert in_shell(script)[0] == line.encode() + b"\r\n"


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


def test_when_the_peer_closes_the_shell_ends_and_what_was_typed_is_kept():
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        type_("not sent yet")
        await screen.shows("not sent yet")
        await peer.connected.wait()
        peer.writer.write_eof()

    received, _ = in_shell(script, history=history, ends=True)
    assert received == b""
    assert history.get_strings() == ["not sent yet"]


def test_when_the_connection_is_reset_the_shell_ends_with_an_error():
    async def script(_, peer, __):
        await peer.connected.wait()
        peer.writer.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER
        peer.writer.transport.abort()

    with pytest.raises(NetworkError, match="Connection reset by peer"):
        in_shell(script, ends=True)


def test_after_ctrl_d_what_the_peer_still_has_is_shown():
    async def script(type_, peer, _):
        peer.last_words = lambda: peer.say(b"so long\r\n")
        type_("quit" + ENTER)

    received, shown = in_shell(script)
    assert received == b"quit\r\n"
    assert "so long\r\n" in shown.text


def test_history_is_kept_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history, problem = open_history("tcp://localhost:2020")
    assert problem is None
    history.append_string("secret \udcff")
    (path,) = (tmp_path / "echoproto" / "history").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    again, _ = open_history("tcp://localhost:2020")
    assert list(again.load_history_strings()) == ["secret \ufffd"]
    other, _ = open_history("tcp://localhost:2021")
    assert list(other.load_history_strings()) == []


def test_where_no_history_can_be_kept_the_shell_still_has_one(tmp_path, monkeypatch):
    (tmp_path / "echoproto").write_text("a file is in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history, problem = open_history("tcp://localhost:2020")
    assert problem.startswith("history is not kept: ")
    history.append_string("line")
    assert history.get_strings() == ["line"]


def test_a_line_without_end_is_shown_in_pieces_and_nothing_of_it_is_lost():
    async def script(_, peer, screen):
        for _ in range(40):
            await peer.say(b"x" * 65536)
        await peer.say(b"end\nnext\n")
        await screen.shows("next\r\n")

    _, shown = in_shell(script)
    assert shown.text.count("x") >= 40 * 65536
    assert "xend\r\n" in shown.text
