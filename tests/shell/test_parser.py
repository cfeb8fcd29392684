"""What the terminal sends: keys, pastes, and what it says by itself."""

from __future__ import annotations

import asyncio

import pytest
from prompt_toolkit.input.vt100_parser import Vt100Parser

from echoproto.shell.parser import KeyParser
from in_shell import ENTER, in_shell

IS_SPLIT = pytest.mark.parametrize("is_split", [False, True])


@pytest.mark.parametrize(
    "said",
    [
        *["\x1b[31m", "\x1b[0;1m", "\x1b[2J", "\x1b[I", "\x1b[O", "\x1b[?1;2c", "\x1b[>41;354;0c"],
        *["\x1b[5;10R", "\x1b[1;2R", "\x1b[0n", "\x1b[8;24;80t", "\x1b[?2004;2$y", "\x1b[<0;1;1M"],
        *["\x1b[M !!", "\x1b[99;5;3u", "\x1b[57441;2u", "\x1b[27;9;120~", "\x1b[5;5~", "\x1b[1;2P"],
        *["\x1b]11;rgb:0000/0000/0000\x07", "\x1b]10;rgb:ffff/ffff/ffff\x1b\\", "\x1b[201~"],
        *["\x1bP>|tmux 3.3a\x1b\\", "\x1bP1$r0m\x1b\\", "\x1b_Gi=1;OK\x1b\\"],
    ],
)
@IS_SPLIT
def test_what_a_terminal_says_by_itself_is_not_typed(said, is_split):
    async def script(type_, peer, screen):
        type_("a")
        await screen.shows("> a")
        for part in said if is_split else [said]:
            type_(part)
            await asyncio.sleep(0)
        type_("b" + ENTER)
        await peer.has_received(b"\r\n")

    received, shown = in_shell(script)
    assert received == b"ab\r\n"
    assert "Exception" not in shown.text


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ("wrong\x1b[27;5;99~right", b"right"),  # Ctrl-C, as xterm's modifyOtherKeys reports it
        ("wrong\x1b[99;5uright", b"right"),  # the same, as kitty does
        ("wrong\x1b[99;69uright", b"right"),  # with Caps Lock
        ("a\x1b[98;1ub", b"abb"),
        ("one two\x1b[27;3;98~x ", b"one x two"),  # Alt-B
        ("a\x1b[27;2;65~", b"aA"),
        ("a\x1b[[Ab", b"ab"),  # F1 of the Linux console
        ("\x1b]11;rgb:0/0/0\x07ab\x07\x1b\\c", b"abc"),  # an answer, a Ctrl-G, and an Alt-\
        ("ac\x1b[Db", b"abc"),
        ("ab\x1bOD\x7f", b"b"),
    ],
)
@IS_SPLIT
def test_keys_that_are_escape_sequences_act_as_keys(keys, sent, is_split):
    async def script(type_, peer, _):
        for part in keys if is_split else [keys]:
            type_(part)
            await asyncio.sleep(0)
        type_(ENTER)
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] == sent + b"\r\n"


def test_escape_and_what_follows_it_late_are_keys():
    async def script(type_, peer, screen):
        type_("a\x1b")
        await screen.shows("> a")
        type_("]b" + ENTER)  # Alt-] has no effect
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] in (b"ab\r\n", b"a]b\r\n")


@pytest.mark.parametrize("answer", ["\x1b]11;rgb:0/0/0\x07", "\x1bP>|tmux 3.3a\x1b\\"])
def test_an_answer_whose_rest_comes_late_is_not_typed(answer):
    pressed = []
    parser = KeyParser(Vt100Parser(pressed.append))
    parser.feed("a" + answer[:6])
    parser.flush()  # as after the time in which the rest of a key comes
    parser.feed(answer[6:] + "b")
    parser.flush()
    assert [press.key for press in pressed] == ["a", "b"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_paste_is_the_same_however_it_is_cut_and_escapes_in_it_are_kept(cut):
    pasted = "\x1b[200~\x1b[31mA\x1b[20\x1b[201~"

    async def script(type_, peer, _):
        for start in range(0, len(pasted), cut):
            type_(pasted[start : start + cut])
            await asyncio.sleep(0.001)
        type_(ENTER)
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] == b"\x1b[31mA\x1b[20\r\n"


def test_a_paste_without_brackets_is_sent_line_by_line():
    lines = [f"line {number} of what was pasted" for number in range(1000)]

    async def script(type_, peer, _):
        await asyncio.to_thread(type_, "\r".join([*lines, ""]))
        await peer.has_received(b"line 999 of what was pasted\r\n")

    assert in_shell(script)[0].decode().splitlines() == lines
