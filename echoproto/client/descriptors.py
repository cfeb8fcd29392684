"""What the system tells about a file descriptor: when it is ready, and how much it still holds.

`connection` and `pipe` use this module, for sockets, pipes, terminals and files alike.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import struct
import termios


async def ready(fd: int, *, to_write: bool = False) -> None:
    """Wait until `fd` can be read (or with `to_write`, written) without blocking."""
    loop = asyncio.get_running_loop()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if to_write else (loop.add_reader, loop.remove_reader)
    )
    is_ready = asyncio.Event()
    try:
        add(fd, is_ready.set)
    except PermissionError:
        return  # epoll refuses files and /dev/null, which never block for long
    try:
        await is_ready.wait()
    finally:
        remove(fd)


def unread(fd: int) -> int:
    """Return how many of the bytes written to `fd` the system still holds for the other side.

    Of TCP, these are the bytes that the peer has not acknowledged (SIOCOUTQ: tcp(7)). Unix sockets
    add what the system needs to keep them (unix(7)). Returns 0 where the system does not know.
    """
    try:
        # On Linux, SIOCOUTQ is TIOCOUTQ. A pipe tells what it holds at both of its ends (pipe(7)).
        request = termios.FIONREAD if stat.S_ISFIFO(os.fstat(fd).st_mode) else termios.TIOCOUTQ
        return int(struct.unpack("i", fcntl.ioctl(fd, request, bytes(4)))[0])
    except OSError:
        return 0
