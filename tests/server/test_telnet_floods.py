"""Floods of telnet cost no memory, and no other client."""

from __future__ import annotations

import socket

import pytest

from echoproto.wire.telnet.codec import MAX_REPLY_EXCESS
from socket_probes import takes_more
from support import connect, receive_exactly
from telnet_bytes import (
    AYT,
    DM,
    DO,
    DONT,
    EC,
    EL,
    HELLO,
    IAC,
    IP,
    NAWS,
    NO_THANKS,
    NOP,
    SB,
    SE,
    TIMING_MARK,
    TTYPE,
    WILL,
    WONT,
)
from telnet_clients import exchange

pytestmark = pytest.mark.long

MEBIBYTE = 1 << 20


SUBNEGOTIATIONS = [
    SB + TTYPE + b"\0" + b"x" * 50 + SE,
    SB + NAWS + b"\0" * 3 + SE,
    SB + b"\x27" + b"y" * 5000 + SE,
    SB + SE,
    SB + TTYPE + b"\1" + SE,
]
GARBAGE = (
    b"".join(IAC + verb + bytes([n]) for n in range(255) for verb in (DO, WILL, DONT, WONT))
    + (IAC + WILL + TTYPE + IAC + WONT + TTYPE) * 50
    + AYT * 300
    + b"".join(SUBNEGOTIATIONS)
    + (IAC + DO + TIMING_MARK) * 100
    + (EC + EL + IP + DM + NOP) * 50
)


def flood(garbage, size):
    return HELLO + garbage * (size // len(garbage) + 1)


@pytest.mark.parametrize("options", [[], ["--mode", "line", "--log-lines"]])
def test_a_flood_of_negotiation_costs_no_memory_and_no_other_client(options, serve):
    with serve(*options) as server:
        with connect(server.port) as sock, connect(server.port) as other:
            sock.sendall(HELLO)
            receive_exactly(sock, len(NO_THANKS))
            before = server.memory()
            most = [before]

            def look():
                other.sendall(b"still there?\n")
                assert receive_exactly(other, 13) == b"still there?\n"
                most.append(server.memory())

            sent = flood(GARBAGE, 2 * MEBIBYTE)
            got = exchange(sock, sent, every=MEBIBYTE // 8, do=look)
        assert len(most) > 8
        assert max(most) - before < 8 * MEBIBYTE
        assert len(got) <= len(sent) + MAX_REPLY_EXCESS
        assert "Traceback" not in server.stop()


@pytest.mark.parametrize(
    "garbage", [b"".join(IAC + DO + bytes([n]) for n in range(5, 255)), b"hello\n" + AYT]
)
def test_a_flood_from_a_client_that_never_reads_costs_no_memory(garbage, serve):
    with serve() as server:
        with socket.socket() as greedy, connect(server.port) as other:
            # Small system buffers, so that unsent data soon stays in the server.
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", server.port))
            other.sendall(b"x")
            receive_exactly(other, 1)
            before = server.memory()
            data = memoryview(flood(garbage, 16 * MEBIBYTE))
            greedy.setblocking(False)
            sent = 0
            while sent < len(data) and takes_more(greedy, other):
                sent += greedy.send(data[sent : sent + 65536])
            assert sent < len(data), "all was taken: where is it?"
            other.sendall(b"still there?")
            assert receive_exactly(other, 12) == b"still there?"
            assert server.memory() - before < 8 * MEBIBYTE
        assert "Traceback" not in server.stop()


def test_a_subnegotiation_that_never_ends_costs_no_memory(serve):
    with serve() as server:
        with connect(server.port) as sock:
            sock.sendall(HELLO)
            receive_exactly(sock, len(NO_THANKS))
            before = server.memory()
            sock.sendall(SB + TTYPE + b"x" * (32 * MEBIBYTE))
            # What is left is in the system's buffers, of which there are only so many.
            assert server.memory() - before < 8 * MEBIBYTE
            sock.sendall(SE + b"hello")
            assert receive_exactly(sock, 5) == b"hello"
        assert "Traceback" not in server.stop()
