"""The output can be held: what the server sends waits, and the server in time waits too."""

from __future__ import annotations

import asyncio

import pytest

from in_shell import CTRL_BRACKET, CTRL_D, ENTER, F2, in_shell

LINE = b"a line of the flood\r\n"


@pytest.mark.parametrize("keys", [F2, CTRL_BRACKET + "pause" + ENTER])
def test_a_pause_holds_the_output_and_in_time_the_server_and_lines_are_still_sent(keys):
    flood = LINE * 500_000

    async def script(type_, peer, screen):
        await peer.connected.wait()
        type_(keys)
        await screen.shows("Paused: ")
        await screen.shows("[paused] > ")
        saying = asyncio.create_task(peer.say(flood + b"the end\r\n"))
        type_("hello" + ENTER)
        await peer.has_received(b"hello\r\n")
        assert LINE.decode() not in screen.text
        assert not saying.done()
        assert peer.writer.transport.get_write_buffer_size() > 0
        shown = len(screen.text)
        type_(keys)
        await screen.shows("a line of the flood")
        assert "[paused]" not in screen.text[shown:].partition("flood")[0]
        saying.cancel()
        peer.writer.transport.abort()
        await screen.shows("closed> ")

    in_shell(script)


def test_ctrl_d_ends_a_pause_and_shows_what_came():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        type_(F2)
        await screen.shows("[paused] > ")
        await peer.say(LINE)
        type_(CTRL_D)
        await screen.shows(LINE.decode())

    in_shell(script)


def test_without_a_connection_there_is_nothing_to_pause():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_(F2)
        await screen.shows("The shell is not connected.")
        type_(ENTER)
        await peer.connected.wait()
        await peer.say(b"hello again\r\n")
        await screen.shows("hello again")
        assert "[paused]" not in screen.text

    in_shell(script)
