"""The socket of a connection: what it counts, what the peer's system has, and why it failed."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress

import pytest

from echoproto.client.target import Target
from echoproto.errors import NetworkError
from peers import RESET_AT_CLOSE, peer, talk, tls_peer, until, was_reset
from support import DEADLINE, receive_all, receive_exactly

MEBIBYTE = 1 << 20
ALERT = b"\x15\x03\x01\x00\x02\x02F"  # a TLS server answers plain text with it


def reads_when(may_read):
    """A peer that reads everything, once `may_read` is set."""

    def serve(sock):
        assert may_read.wait(DEADLINE)
        receive_all(sock)

    return peer(serve)


def test_what_is_sent_is_delivered_when_the_peer_s_system_has_it():
    may_read = threading.Event()

    async def script(connection):
        sending = asyncio.create_task(connection.send(bytes(16 * MEBIBYTE)))
        await until(lambda: connection.stream.unacknowledged)
        assert not sending.done()
        may_read.set()
        assert await sending
        await connection.send_eof()
        assert await connection.delivered()
        assert connection.stream.unacknowledged == 0

    with reads_when(may_read) as (_, port):
        talk(Target("localhost", port), script)


def test_what_a_peer_closed_on_is_not_delivered_once_a_send_has_told_so():
    sent = threading.Event()

    def serve(sock):
        sock.shutdown(socket.SHUT_WR)
        assert sent.wait(DEADLINE)  # and then it closes on what has arrived

    async def script(connection):
        assert await connection.receive() == b""
        assert await connection.send(bytes(MEBIBYTE))
        end = connection.stream.bytes_sent
        sent.set()
        while await connection.send(b"x"):  # until the system reports that it is broken, once
            pass
        assert not await asyncio.wait_for(connection.stream.acknowledged(end), DEADLINE)

    with peer(serve) as (_, port):
        talk(Target("localhost", port), script)


def test_what_a_peer_closed_on_is_not_delivered_once_an_alert_has_met_the_error():
    # TLS that fails sends an alert, and ignores whether that works: the error is reported once.
    sent = threading.Event()

    def serve(sock):
        sock.shutdown(socket.SHUT_WR)
        assert sent.wait(DEADLINE)

    async def script(connection):
        stream = connection.stream
        assert await connection.receive() == b""
        assert await connection.send(bytes(MEBIBYTE))
        end = stream.bytes_sent
        sent.set()
        with suppress(BrokenPipeError):
            while True:
                stream.send_some(b"alert")
        assert not await asyncio.wait_for(stream.acknowledged(end), DEADLINE)

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

    async def script(connection):
        sending = asyncio.create_task(connection.send(bytes(16 * MEBIBYTE)))
        await until(lambda: connection.stream.bytes_sent)
        assert connection.stream.bytes_sent < 16 * MEBIBYTE
        may_read.set()
        assert await sending
        assert connection.stream.bytes_sent == 16 * MEBIBYTE

    with reads_when(may_read) as (_, port):
        talk(Target("localhost", port), script)


def test_a_reset_after_a_tls_alert_hints_at_tls_whoever_notices_it_first():
    def serve(sock):
        sock.sendall(ALERT)
        receive_exactly(sock, 1)
        sock.setsockopt(*RESET_AT_CLOSE)

    async def script(connection):
        assert await connection.send(b"x")
        await asyncio.to_thread(was_reset, connection)
        with pytest.raises(NetworkError, match="Connection reset by peer"):
            await connection.delivered()
        assert await connection.receive() == ALERT
        for call in (connection.receive(), connection.delivered()):
            with pytest.raises(NetworkError, match=r"reset by peer \(it answered with a TLS alert"):
                await call

    with peer(serve) as (_, port):
        talk(Target("localhost", port), script)


@pytest.mark.usefixtures("trusted")
def test_an_alert_of_our_own_is_counted_as_sent(certificate):
    def serve(tls):
        with socket.socket(fileno=os.dup(tls.fileno())) as raw:
            raw.settimeout(DEADLINE)
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record with a wrong signature
            received.append(len(receive_all(raw)))

    async def script(connection):
        assert await connection.send(b"")  # the end of the handshake has left
        before = connection.stream.bytes_sent
        with pytest.raises(NetworkError, match="TLS: "):
            await connection.receive()
        return connection.stream.bytes_sent - before

    received = []
    with tls_peer(certificate, serve) as target:
        count = talk(target, script)
    assert received == [count] != [0]
