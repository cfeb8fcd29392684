"""What the sockets of a client show of a server, where the server says nothing."""

from __future__ import annotations

import select

from support import connect, receive_exactly


def is_refused(port):
    """Whether nobody listens on a port."""
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # the listener was closed just as it took the connection: ask again
    return False


def takes_more(sock, other):
    """Whether the server still reads from `sock`. `other` is a connection to the same server.

    As long as the server reads, it reads from each of the two in turn, 64 KiB at a time. The
    system's buffers hold less than 256 times as much.
    """
    for _ in range(256):
        if select.select([], [sock], [], 0)[1]:
            return True
        other.sendall(b"?")
        assert receive_exactly(other, 1) == b"?"
    return False
