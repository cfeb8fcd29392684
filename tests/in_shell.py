"""The shell on a real connection, with typed keys in and printed text out."""

from __future__ import annotations

import asyncio
import io
import re

from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from echoproto.client.connection import connect
from echoproto.client.target import Target
from echoproto.shell.app import Shell
from support import DEADLINE

ENTER = "\r"
CTRL_C, CTRL_D = "\x03", "\x04"
UP = "\x1b[A"


class Peer:
    """The other side of the connection: what it received, and what it says."""

    def __init__(self):
        self.received = b""
        self.ended = False
        self.connected = asyncio.Event()
        self._changed = asyncio.Condition()

    async def serve(self, reader, writer):
        self.writer = writer
        self.connected.set()
        while not self.ended:
            data = await reader.read(65536)
            async with self._changed:
                self.received += data
                self.ended = not data
                self._changed.notify_all()
        await self.last_words()
        writer.close()

    async def last_words(self):
        """What to do when the shell has sent its last byte, before closing."""

    async def has_received(self, data):
        async with asyncio.timeout(DEADLINE), self._changed:
            await self._changed.wait_for(lambda: self.ended or data in self.received)
        assert data in self.received

    async def say(self, data):
        await self.connected.wait()
        self.writer.write(data)
        await self.writer.drain()


class Screen(io.StringIO):
    """What the terminal is sent; `shows` waits until that holds a text."""

    encoding = "utf-8"

    def __init__(self):
        super().__init__()
        self._written = asyncio.Event()

    def write(self, text):
        self._written.set()
        return super().write(text)

    @property
    def text(self):
        """Without what our own side says to the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())

    async def shows(self, text):
        async with asyncio.timeout(DEADLINE):
            while text not in self.text:
                self._written.clear()
                await self._written.wait()


def encode(text):
    return text.encode("utf-8", "surrogateescape")


def in_shell(script, *, eol=None, telnet="auto", history=None, ends=False):
    """Run `script(type, peer, screen)` in a shell; it ends with Ctrl-D, or with the peer."""
    history = history or InMemoryHistory()

    async def main():
        peer = Peer()
        server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
        target = Target(*server.sockets[0].getsockname())
        screen = Screen()
        with create_pipe_input() as keys:
            output = Vt100_Output(screen, lambda: Size(24, 80), enable_cpr=False)
            async with server, connect(target) as connection:
                shell = Shell(
                    connection,
                    eol=eol,
                    telnet=telnet,
                    history=history,
                    input=keys,
                    output=output,
                )
                running = asyncio.create_task(shell.run())
                await screen.shows("> ")
                try:
                    await script(lambda text: keys.send_bytes(encode(text)), peer, screen)
                    if not ends:
                        keys.send_bytes(encode(CTRL_D))
                    async with asyncio.timeout(DEADLINE):
                        assert await running is ends
                finally:
                    running.cancel()
                    await peer.connected.wait()
                    peer.writer.close()
        return peer.received, screen

    return asyncio.run(main())
