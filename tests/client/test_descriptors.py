"""What the system tells about a descriptor: of a pipe, a socket, and a file."""

from __future__ import annotations

import asyncio
import os
import socket

from echoproto.client.descriptors import ready, unread
from support import DEADLINE


def test_what_nobody_has_read_from_a_pipe_is_known_at_the_end_that_writes():
    reader, writer = os.pipe()
    try:
        os.write(writer, b"hello")
        assert unread(writer) == 5
        os.read(reader, 3)
        assert unread(writer) == 2
    finally:
        os.close(reader)
        os.close(writer)


def test_what_a_peer_has_not_read_from_a_unix_socket_is_known_until_it_has():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"hello")
        assert unread(ours.fileno()) >= 5
        theirs.recv(5)
        assert unread(ours.fileno()) == 0


def test_a_file_holds_nothing_back_and_is_always_ready(tmp_path):
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"hello")
        file.flush()
        assert unread(file.fileno()) == 0
        asyncio.run(ready(file.fileno()))
        asyncio.run(ready(file.fileno(), to_write=True))


def test_a_pipe_is_ready_when_something_is_in_it():
    async def main():
        async with asyncio.timeout(DEADLINE):
            waiting = asyncio.create_task(ready(reader))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not waiting.done()
            os.write(writer, b"x")
            await waiting

    reader, writer = os.pipe()
    try:
        asyncio.run(main())
    finally:
        os.close(reader)
        os.close(writer)
