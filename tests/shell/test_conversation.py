"""A session on one connection: it sends and receives, and ends when either side ends it."""

from __future__ import annotations

import asyncio

import pytest

from echoproto.client.connection import connect
from echoproto.client.target import Target
from echoproto.errors import NetworkError
from echoproto.shell.conversation import Conversation
from echoproto.shell.watcher import Watcher
from in_shell import Peer, Recording
from support import DEADLINE


def converse(script):
    """Run `script(conversation, peer, shell)` with a session on a real connection."""

    async def main():
        peer, shell = Peer(), Recording()
        where = await peer.listen()
        async with asyncio.timeout(DEADLINE), connect(Target(*where)) as connection:
            await peer.connected.wait()
            await script(Conversation(shell.session, connection), peer, shell)
        peer.refuse()
        return shell

    return asyncio.run(main())


def test_what_waits_is_sent_and_what_comes_is_shown_until_the_peer_closes():
    async def script(conversation, peer, shell):
        running = asyncio.create_task(conversation.run())
        shell.session.type_lines(["hello"])
        await peer.has_received(b"hello\r\n")
        await peer.say(b"world\r\nno end")
        await peer.close()
        await running

    shell = converse(script)
    assert shell.take_printed() == "> hello\nworld\n"
    shell.session.close()
    assert shell.printed.startswith("no end")


def test_what_arrives_is_noted_at_once_also_while_the_output_is_held():
    class Noting(Watcher):
        def __init__(self):
            self.arrived = asyncio.Event()

        def received(self, _):
            self.arrived.set()

    async def script(conversation, peer, shell):
        noting = Noting()
        shell.session.watchers.append(noting)
        shell.session.toggle_pause()
        shell.take_printed()
        running = asyncio.create_task(conversation.run())
        await peer.say(b"hello\r\n")
        await noting.arrived.wait()
        assert shell.printed == ""
        shell.session.toggle_pause()
        await peer.close()
        await running

    assert converse(script).printed == "hello\n"


def test_a_connection_that_is_lost_is_an_error():
    async def script(conversation, peer, _):
        running = asyncio.create_task(conversation.run())
        await peer.reset()
        with pytest.raises(NetworkError, match="Connection reset by peer"):
            await running

    converse(script)


def test_to_finish_is_to_half_close_and_to_wait_for_the_answer():
    async def script(conversation, peer, shell):
        peer.last_words = lambda: peer.say(b"bye\r\n")
        running = asyncio.create_task(conversation.run())
        await asyncio.sleep(0)
        shell.session.type_lines(["quit"])
        await conversation.finish(asyncio.get_running_loop().create_future())
        await running

    assert converse(script).printed.endswith("bye\n")
