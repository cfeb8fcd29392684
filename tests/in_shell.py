"""The shell for tests: with keys in and printed text out, or a session alone with bytes in.

`in_shell` runs all of it on a real connection. `Recording` has neither terminal nor network.
"""

from __future__ import annotations

import asyncio
import io
import re

import pyte
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from echoproto.client.target import Target
from echoproto.shell import app
from echoproto.shell.screen import Screen
from echoproto.shell.session import Session
from echoproto.shell.settings import Settings
from echoproto.wire.layer import DataReceived, Reply
from peers import RESET_AT_CLOSE
from support import DEADLINE
from terminal import Screen as PyteScreen

ENTER, TAB, UP, LEFT = "\r", "\t", "\x1b[A", "\x1b[D"
F1, F2 = "\x1bOP", "\x1bOQ"
CTRL_C, CTRL_D, CTRL_R, CTRL_U, CTRL_Y, CTRL_BRACKET = (
    "\x03",
    "\x04",
    "\x12",
    "\x15",
    "\x19",
    "\x1d",
)

IAC, SB, SE = b"\xff", b"\xff\xfa", b"\xff\xf0"
WILL, WONT, DO, DONT = (IAC + bytes([code]) for code in (251, 252, 253, 254))
BINARY, ECHO, SGA, TTYPE, NAWS = (bytes([option]) for option in (0, 1, 3, 24, 31))


class Peer:
    """The other side of the connection: what it received, and what it says."""

    def __init__(self):
        self.received = b""
        self.ended = False
        self.connected = asyncio.Event()
        self.was_connected = asyncio.Event()
        self._changed = asyncio.Condition()

    async def serve(self, reader, writer):
        self.writer = writer
        self.ended = False
        self.connected.set()
        self.was_connected.set()
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

    async def listen(self, address=("127.0.0.1", 0)):
        """Accept connections. Returns where, which is the same place if it is given."""
        self._server = await asyncio.start_server(self.serve, *address)
        return self._server.sockets[0].getsockname()

    def refuse(self):
        """Accept no more connections."""
        self._server.close()

    async def reset(self):
        """Let the connection be lost. The next one may come."""
        self.connected.clear()
        self.writer.get_extra_info("socket").setsockopt(*RESET_AT_CLOSE)
        self.writer.transport.abort()

    async def close(self):
        """Close the connection. The next one may come."""
        self.connected.clear()
        self.writer.close()
        await self.writer.wait_closed()

    async def say(self, data):
        await self.connected.wait()
        self.writer.write(data)
        await self.writer.drain()


class Terminal(io.StringIO):
    """What the terminal is sent; `shows` waits until that holds a text."""

    encoding = "utf-8"

    def __init__(self):
        super().__init__()
        self.size = Size(24, 80)
        self.writes = []
        self._written = asyncio.Event()

    def write(self, text):
        self._written.set()
        self.writes.append(text)
        return super().write(text)

    @property
    def text(self):
        """Without what our own side says to the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())

    @property
    def before_cursor(self):
        """What is in front of the cursor, in its row."""
        screen = PyteScreen(self.size.columns, self.size.rows)
        pyte.Stream(screen).feed(self.getvalue())
        return screen.before_cursor

    async def shows(self, text):
        await self._until(lambda: text in self.text)

    async def has_cursor_behind(self, text):
        await self._until(lambda: self.before_cursor == text)

    async def _until(self, condition):
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._written.clear()
                await self._written.wait()


def shell_settings(**settings):
    return Settings(**{"reply_times": False} | settings)


def encode(text):
    return text.encode("utf-8", "surrogateescape")


def in_shell(
    script,
    *,
    telnet="auto",
    history=None,
    command_history=None,
    once=False,
    reconnect=False,
    listens=True,
    **settings,
):
    """Run `script(type, peer, screen)` in a shell. It ends by Ctrl-D, or by the peer (`once`).

    The peer `listens` from the start, or when the script says so. `settings` are those of the
    shell. The times of replies are off, because they vary.
    """
    history = history or InMemoryHistory()
    command_history = command_history or InMemoryHistory()

    async def main():
        peer = Peer()
        peer.address = await peer.listen()
        target = Target(*peer.address)
        if not listens:
            peer.refuse()
        screen = Terminal()
        with create_pipe_input() as keys:
            output = Vt100_Output(screen, lambda: screen.size, enable_cpr=False)
            options = app.Options(
                telnet=telnet,
                once=once,
                reconnect=reconnect,
                settings=shell_settings(**settings),
            )
            session = Session(target, options.settings)
            try:
                display = Screen(
                    session,
                    history=history,
                    command_history=command_history,
                    input=keys,
                    output=output,
                )
                running = asyncio.create_task(app.run(session, display, options))
                await screen.shows("> ")
                try:
                    async with asyncio.timeout(DEADLINE):
                        await script(lambda text: keys.send_bytes(encode(text)), peer, screen)
                        if not once:
                            # In character mode, Ctrl-D goes to the peer.
                            keys.send_bytes(encode(CTRL_BRACKET * session.takes_keys + CTRL_D))
                        await running
                finally:
                    running.cancel()
                    if listens:
                        await peer.was_connected.wait()
                        peer.writer.close()
            finally:
                peer.refuse()
        return peer.received, screen

    return asyncio.run(main())


class Recording:
    """A session, its display, and the connection below it."""

    def __init__(self, *, telnet="auto", **settings):
        options = app.Options(telnet=telnet, settings=shell_settings(**settings))
        target = Target("192.0.2.1", 23)
        self.session = Session(target, options.settings)
        self.session.display = self
        self.calls = []
        self.session.open(options.codec(target))
        self.calls.clear()
        self.printed = ""
        self.replied = b""

    # As the display

    def print(self, text):
        self.printed += "".join(shown for _, shown, *_ in text)

    def redraw(self):
        self.calls.append("redraw")

    async def room(self):
        return 65536

    def focus(self):
        self.calls.append("focus")

    def quit(self):
        self.calls.append("quit")

    # As the peer

    def say(self, data):
        """Let `data` arrive, as a connection does."""
        for event in self.session.codec.receive(data):
            match event:
                case DataReceived(received):
                    self.session.note_received(received)
                    self.session.receive(received)
                case Reply(reply):
                    self.replied += reply
                case _:
                    self.session.handle_event(event)

    def sent(self):
        """All bytes that the session sends, up to its end."""
        codec, wire = self.session.codec, []

        class ClientConnection:
            async def send(self, data):
                wire.append(codec.send(data))
                return True

            def send_command(self, command):
                wire.append(codec.command(command))

            async def send_eof(self):
                wire.append(b"<end>")

        self.session.end()
        asyncio.run(self.session.outbox.send_to(ClientConnection()))
        assert wire.pop() == b"<end>"
        return b"".join(wire)

    @property
    def prompt(self):
        return "".join(shown for _, shown in self.session.prompt)

    def take_printed(self):
        printed, self.printed = self.printed, ""
        return printed
