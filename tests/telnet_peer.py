"""A telnet connection of the client on a socket pair, and the other side: bytes on the wire."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, closing

from echoproto.client.connection import ClientConnection
from echoproto.client.target import Target
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import SHELL_POLICY
from support import DEADLINE
from telnet_words import in_words

MEBIBYTE = 1 << 20
ROOM = 64 * 1024  # bytes that the system has room for, about, in each direction


class Peer:
    """The other side: bytes as they are on the wire."""

    def __init__(self, sock):
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def say(self, data):
        await self._loop.sock_sendall(self.sock, data)

    async def reads(self, count):
        """The next bytes, so many of them."""
        data = bytearray()
        while len(data) < count:
            more = await self._loop.sock_recv(self.sock, min(count - len(data), MEBIBYTE))
            assert more, f"ended after {len(data)} of {count} bytes: {data[-100:]!r}"
            data += more
        return bytes(data)

    async def hears(self, data):
        """What comes next is this."""
        assert in_words(await self.reads(len(data))) == in_words(data)

    async def rest(self):
        """Everything, up to the end."""
        data = bytearray()
        while more := await self._loop.sock_recv(self.sock, MEBIBYTE):
            data += more
        return bytes(data)

    def ends(self):
        self.sock.shutdown(socket.SHUT_WR)

    def resets(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


@asynccontextmanager
async def talking(codec, on_event=lambda _: None, connection_class=ClientConnection):
    """A telnet connection, and its peer, for no longer than the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    with ours, theirs:
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = Target("peer", 23, scheme="telnet")
        telnet = connection_class(target, ours, telnet=codec, on_event=on_event)
        async with asyncio.timeout(DEADLINE):
            with closing(telnet):
                yield telnet, Peer(theirs)


def person(mode="always"):
    return TelnetCodec(SHELL_POLICY, mode=mode, terminal_type="dumb", window_size=(80, 24))
