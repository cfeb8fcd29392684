"""The socket of a connection: what it counts, what the peer's system has, and why it failed."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from echoproto.client.target import Target
from echoproto.errors import NetworkError
from peers import peer, talk, until, was_reset
from support import DEADLINE, receive_all, receive_exactly

MEBIBYTE = 1 << 20


def test_what_is_sent_is_delivered_when_the_peer_s_system_has_it():
    may_read = threading.Event()

    def serve(sock):
        assert may_read.wait(DEADLINE)
        receive_all(sock)

    async def script(connection):
        sending = asyncio.create_task(connection.send(bytes(16 * MEBIBYTE)))
        await until(lambda: connection.stream.unsent)
        assert not sending.done()
        may_read.set()
        assert await sending
        await connection.send_eof()
        assert await connection.delivered()
        assert connection.stream.unsent == 0

    with peer(serve) as (_, port):
        talk(Target("localhost", port), script)


@pytest.mark.parametrize("has_ended", [False, True], ids=["it resets", "it ended before"])
def test_what_a_peer_closed_on_is_not_delivered(has_ended):
    sent = threading.Event()

    def serve(sock):
        if has_ended:
            sock.shutdown(socket.SHUT_WR)
        assert sent.wait(DEADLINE)
        receive_exactly(sock, 1)  # and then it closes on the rest

    async def script(connection):
        if has_ended:
            assert await connection.receive() == b""
        assert await connection.send(b"xx")
        sent.set()
        await asyncio.to_thread(was_reset, connection)
        if has_ended:
            assert not await connection.delivered()
        else:
            with pytest.raises(NetworkError, match="Connection reset by peer"):
                await connection.delivered()
            with pytest.raises(NetworkError, match="Connection reset by peer"):
                await connection.receive()

    with peer(serve) as (_, port):
        talk(Target("localhost", port), script)


def test_what_the_system_takes_of_a_write_is_counted_before_the_write_has_ended():
    may_read = threading.Event()

    def serve(sock):
        assert may_read.wait(DEADLINE)
        receive_all(sock)

    async def script(connection):
        sending = asyncio.create_task(connection.send(bytes(16 * MEBIBYTE)))
        await until(lambda: connection.stream.bytes_sent)
        assert connection.stream.bytes_sent < 16 * MEBIBYTE
        may_read.set()
        assert await sending
        assert connection.stream.bytes_sent == 16 * MEBIBYTE

    with peer(serve) as (_, port):
        talk(Target("localhost", port), script)
