"""The connection of the client with its layers: order, memory, what is told."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import threading
from contextlib import suppress

import pytest

from echoproto.client.connection import MAX_QUEUED, connect
from echoproto.client.target import Target
from echoproto.errors import NetworkError, NotTelnetError
from echoproto.wire.layer import Reply
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import Command, OptionChanged
from echoproto.wire.telnet.options import PIPE_POLICY
from echoproto.wire.tls import TLS, HandshakeCompleted
from peers import EACH_VERSION, everything, peer, talk, tls_peer, until
from support import DEADLINE, receive_all, receive_exactly

MEBIBYTE = 1 << 20
DO_UNKNOWN, WONT_UNKNOWN = b"\xff\xfd\x63", b"\xff\xfc\x63"
DO_BINARY, WILL_BINARY = b"\xff\xfd\0", b"\xff\xfb\0"


pytestmark = pytest.mark.usefixtures("trusted")


def target_of(port, scheme):
    return Target("localhost", port, scheme=scheme)


def telnet():
    return TelnetCodec(PIPE_POLICY, ayt=b"")


# Without telnet


@pytest.mark.parametrize(
    "version", [None, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["plain", "1.2", "1.3"]
)
def test_two_that_send_at_the_same_time_send_one_after_the_other(certificate, version):
    first, second = b"1" * (8 * MEBIBYTE), b"2" * (8 * MEBIBYTE)
    both_began = threading.Event()
    received = []

    def serve(sock):
        assert both_began.wait(DEADLINE)
        received.append(receive_all(sock))

    async def script(connection):
        sending = [asyncio.create_task(connection.send(data)) for data in (first, second)]
        for _ in range(5):
            await asyncio.sleep(0)
        both_began.set()
        assert await asyncio.gather(*sending) == [True, True]
        await connection.send_eof()
        assert await connection.receive() == b""

    with tls_peer(certificate, serve, version) if version else peer(serve) as where:
        talk(where if version else target_of(where[1], "tcp"), script)
    assert received == [first + second]


def test_without_telnet_there_are_no_commands_and_nobody_wants_a_size():
    async def script(connection):
        with pytest.raises(NotTelnetError, match="this connection is not telnet"):
            connection.send_command(Command.AYT)
        connection.resize(80, 24)
        await connection.send_eof()
        assert connection.telnet is None

    received = []
    with peer(lambda sock: received.append(receive_all(sock))) as (_, port):
        talk(target_of(port, "tcp"), script)
    assert received == [b""]


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_connection_that_is_closed_says_so(certificate, scheme):
    async def main(target):
        async with asyncio.timeout(DEADLINE), connect(target) as connection:
            await connection.send_eof()
            assert await connection.receive() == b""
        for call in (connection.receive(), connection.send(b"x"), connection.delivered()):
            with pytest.raises(NetworkError, match=r":\d+: the connection is closed$"):
                await call
        await connection.send_eof()  # which leaves the error to `receive`
        connection.close()

    with peer(receive_all) if scheme == "tcp" else tls_peer(certificate, receive_all) as where:
        asyncio.run(main(target_of(where[1], "tcp") if scheme == "tcp" else where))


def test_closing_ends_what_other_tasks_wait_for():
    closed = threading.Event()

    async def script(connection):
        loop = asyncio.get_running_loop()
        calls = [connection.receive(), connection.receive()]
        calls += [connection.send(b"x" * (16 * MEBIBYTE)), connection.send(b"x")]
        tasks = [asyncio.create_task(call) for call in calls]
        # The system has no room for more, so that the first that sends waits.
        await until(lambda: 0 < connection.stream.bytes_sent < 16 * MEBIBYTE)
        for _ in range(5):
            await asyncio.sleep(0)
        fd = connection.stream.socket.fileno()
        connection.close()
        said = [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)]
        assert said == [f"{connection.target.name}: the connection is closed"] * 4
        assert connection.stream.socket.fileno() < 0
        assert not loop.remove_reader(fd)
        assert not loop.remove_writer(fd)
        closed.set()

    with peer(lambda _: closed.wait(DEADLINE)) as where:
        talk(Target(*where), script)


def test_a_receive_that_is_cancelled_loses_nothing_that_has_just_arrived():
    is_waiting, is_cancelled = threading.Event(), threading.Event()

    def serve(sock):
        assert is_waiting.wait(DEADLINE)
        sock.sendall(b"hello ")
        assert is_cancelled.wait(DEADLINE)
        sock.sendall(b"world")

    async def script(connection):
        receiving = asyncio.create_task(connection.receive())
        for _ in range(5):
            await asyncio.sleep(0)
        is_waiting.set()
        # Nothing else runs until the data is there. Then the event loop finds it, and tells.
        assert select.select([connection.stream.socket], [], [], DEADLINE)[0]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        receiving.cancel()
        (outcome,) = await asyncio.gather(receiving, return_exceptions=True)
        is_cancelled.set()
        assert isinstance(outcome, asyncio.CancelledError)
        assert await everything(connection) == b"hello world"

    with peer(serve) as where:
        talk(Target(*where), script)


# What is told


def test_what_tls_and_telnet_tell_is_told_in_its_order(certificate):
    def serve(tls):
        tls.sendall(DO_BINARY + b"!")
        receive_exactly(tls, len(WILL_BINARY))  # closing with that unread would be a reset

    told = []
    with tls_peer(certificate, serve, scheme="telnets") as target:
        assert talk(target, everything, telnet=telnet(), on_event=told.append) == b"!"
    assert isinstance(told[0], HandshakeCompleted)
    assert isinstance(told[1], OptionChanged)
    assert len(told) == 2


@EACH_VERSION
def test_what_comes_with_the_end_of_the_handshake_is_received(certificate, version):
    def serve(sock):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.maximum_version = version
        tls = TLS(context, server_side=True)
        tls.send(b"greeting")
        tls.finish()
        while not tls.is_finished:
            arrived = tls.receive(sock.recv(65536))
            sock.sendall(b"".join(event.data for event in arrived if isinstance(event, Reply)))

    with peer(serve) as (_, port):
        assert talk(target_of(port, "tls"), everything) == b"greeting"


def test_a_server_that_is_not_trusted_is_told_so(certificate, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    errors = []

    def serve(sock):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with pytest.raises(ssl.SSLError) as caught, context.wrap_socket(sock, server_side=True):
            pass
        errors.append(caught.value.reason)

    with (
        peer(serve) as (_, port),
        pytest.raises(NetworkError, match=r"^cannot connect to tls:.* is not trusted"),
    ):
        talk(target_of(port, "tls"), everything)
    assert errors == ["TLSV1_ALERT_UNKNOWN_CA"]


def test_what_came_before_an_error_is_received_before_it_is_told(certificate):
    def serve(tls):
        raw = socket.socket(fileno=os.dup(tls.fileno()))
        with raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # both go in one segment
            tls.sendall(b"good")
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record with a wrong signature
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            with suppress(OSError):
                receive_all(raw)

    async def script(connection):
        assert await connection.receive() == b"good"
        for _ in range(2):
            with pytest.raises(NetworkError, match=r"^tls://localhost:\d+: TLS: "):
                await connection.receive()

    with tls_peer(certificate, serve) as target:
        talk(target, script)


# What is sent


def test_records_go_out_in_the_order_in_which_they_were_encrypted(certificate):
    # Telnet answers while two wait to send, and each record has a number of its own.
    first, second = b"1" * (8 * MEBIBYTE), b"2" * (8 * MEBIBYTE)
    both_began, asked = threading.Event(), threading.Event()
    received = []

    def serve(tls):
        assert both_began.wait(DEADLINE)
        tls.sendall(DO_UNKNOWN * 100 + b"asked")
        assert asked.wait(DEADLINE)
        received.append(receive_all(tls))

    async def script(connection):
        sending = [asyncio.create_task(connection.send(data)) for data in (first, second)]
        for _ in range(5):
            await asyncio.sleep(0)
        both_began.set()
        assert await connection.receive() == b"asked"
        asked.set()
        assert await asyncio.gather(*sending) == [True, True]
        await connection.send_eof()
        assert await connection.receive() == b""

    with tls_peer(certificate, serve, scheme="telnets") as target:
        talk(target, script, telnet=telnet())
    assert received == [first + WONT_UNKNOWN * 100 + second]


@pytest.mark.parametrize("scheme", ["telnet", "telnets"])
def test_a_peer_that_asks_and_does_not_read_is_received_from_no_more(certificate, scheme):
    enough, times = threading.Event(), 1000
    asked = []

    def serve(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MAX_QUEUED)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_QUEUED)
        sock.settimeout(1)
        with suppress(TimeoutError):
            for _ in range(times):
                sock.sendall(DO_UNKNOWN * 1000)
                asked.append(1000)
        assert enough.wait(DEADLINE)
        sock.close()

    async def script(connection):
        connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_QUEUED)
        connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MAX_QUEUED)
        receiving = asyncio.create_task(connection.receive())
        seen = -1
        while seen != len(asked):
            seen = len(asked)
            await asyncio.sleep(0.5)
            assert len(connection._queued) <= 4 * MAX_QUEUED
        assert len(asked) < times
        enough.set()
        with suppress(NetworkError):
            await receiving

    with peer(serve) if scheme == "telnet" else tls_peer(certificate, serve) as where:
        port = where[1] if scheme == "telnet" else where.port
        talk(target_of(port, scheme), script, telnet=telnet())
