"""The shell stays when a connection ends, and connects again when it is asked to."""

from __future__ import annotations

import pytest

from in_shell import CTRL_BRACKET, CTRL_C, ENTER, in_shell


@pytest.mark.parametrize("keys", [ENTER, CTRL_BRACKET + "open" + ENTER])
def test_when_the_server_closes_the_shell_stays_and_connects_again(keys):
    async def script(type_, peer, screen):
        type_("draft")
        await screen.shows("draft")
        await peer.close()
        await screen.shows("closed the connection.")
        await screen.shows("closed> draft")
        peer.connected.clear()
        type_(keys)
        await peer.connected.wait()
        await peer.say(b"hello again\r\n")
        await screen.shows("hello again")
        type_(ENTER)
        await peer.has_received(b"draft\r\n")

    assert in_shell(script)[0] == b"draft\r\n"


def test_what_was_not_sent_on_one_connection_is_not_sent_on_the_next():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_("kept" + ENTER)
        await peer.connected.wait()
        await screen.shows("> kept")
        type_(CTRL_C + "new" + ENTER)
        await peer.has_received(b"new\r\n")

    assert in_shell(script)[0] == b"new\r\n"
