"""How a connection through TLS ends."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
from contextlib import closing, suppress

import pytest

from echoproto.client.stream import MAX_RECEIVE
from echoproto.errors import NetworkError
from peers import EACH_VERSION, RESET_AT_CLOSE, everything, talk, tls_peer, was_reset
from support import BIN, DEADLINE, receive_all, receive_exactly, run, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20


def closes_notify(tls):
    """End the sending side of TLS, as `openssl s_server` does, and go on with nothing."""
    with suppress(OSError):  # the other side may be gone, or go on sending
        tls.unwrap()


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_after_its_half_close_it_receives_what_the_peer_still_says(certificate, version):
    def serve(tls):
        assert receive_all(tls) == b"hello"  # up to close_notify
        tls.sendall(b"HELLO" * 100_000)

    async def script(connection):
        assert await connection.send(b"hello")
        await connection.send_eof()
        return await everything(connection)

    with tls_peer(certificate, serve, version) as target:
        assert talk(target, script) == b"HELLO" * 100_000


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_half_close_loses_nothing_of_what_has_arrived_already(certificate, version):
    data = os.urandom(200_000)
    sent_all = threading.Event()

    def serve(tls):
        tls.sendall(data)
        sent_all.set()
        with suppress(ConnectionError):
            receive_all(tls)
            tls.sendall(b"and the last")

    async def script(connection):
        # With one record come others, that wait to be received. A pipe does this when its output
        # is slower than the peer, and its input ends.
        assert await asyncio.to_thread(sent_all.wait, DEADLINE)
        received = await connection.receive()
        assert len(received) < MAX_RECEIVE
        await connection.send_eof()
        return received + await everything(connection)

    with tls_peer(certificate, serve, version) as target:
        received = talk(target, script)
    assert len(received) == len(data + b"and the last")
    assert received == data + b"and the last"


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_an_end_without_close_notify_is_an_error_after_what_came(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        receive_exactly(tls, 5)  # and then Python closes TCP, and says nothing on TLS

    async def script(connection):
        assert await connection.send(b"hello")
        assert await connection.receive() == b"partial"
        for _ in range(2):
            with pytest.raises(NetworkError, match="closed without TLS's close_notify"):
                await connection.receive()

    with tls_peer(certificate, serve, version, cuts=True) as target:
        talk(target, script)


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_pipe_that_is_cut_off_is_one_clear_line_after_what_came(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        receive_exactly(tls, 5)

    with tls_peer(certificate, serve, version, cuts=True) as target:
        done = run(ECHOPROTO, "send", str(target), input=b"hello")
    assert (done.returncode, done.stdout) == (1, b"partial")
    assert done.stderr.decode() == (
        f"echoproto: {target}: it closed without TLS's close_notify: what it sent may have been "
        "cut off\n"
    )


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_the_end_stays_the_end(certificate, version):
    def serve(tls):
        tls.sendall(b"bye")
        closes_notify(tls)

    async def script(connection):
        return [await connection.receive() for _ in range(4)]

    with tls_peer(certificate, serve, version) as target:
        assert talk(target, script) == [b"bye", b"", b"", b""]


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_half_close_after_the_end_is_in_good_order(certificate, version):
    async def script(connection):
        assert await everything(connection) == b"bye"
        await connection.send_eof()
        await connection.send_eof()
        assert await connection.receive() == b""

    with tls_peer(certificate, lambda tls: tls.sendall(b"bye"), version) as target:
        talk(target, script)


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_sending_to_a_peer_that_has_closed_ends_in_good_order(certificate, version):
    def serve(tls):
        tls.sendall(b"bye")
        closes_notify(tls)

    async def script(connection):
        assert await everything(connection) == b"bye"
        with suppress(NetworkError):  # a reset, if the peer has not read all
            while await connection.send(b"x" * MAX_RECEIVE):
                pass
        await connection.send_eof()
        assert await connection.receive() == b""

    with tls_peer(certificate, serve, version) as target:
        talk(target, script)


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_pipe_ends_when_the_peer_closes_although_input_goes_on(certificate, version):
    def serve(tls):
        tls.sendall(b"goodbye")
        closes_notify(tls)

    with (
        tls_peer(certificate, serve, version) as target,
        start(ECHOPROTO, "send", str(target)) as process,
    ):
        assert process.wait(DEADLINE) == 0
        assert process.stdout.read() == b"goodbye"


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_connection_that_is_reset_is_one_clear_line_after_what_came(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        receive_exactly(tls, 5)
        tls.setsockopt(*RESET_AT_CLOSE)

    with tls_peer(certificate, serve, version, cuts=True) as target:
        done = run(ECHOPROTO, "send", str(target), input=b"hello")
    assert (done.returncode, done.stdout) == (1, b"partial")
    assert done.stderr.decode() == f"echoproto: {target}: Connection reset by peer\n"


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_what_is_no_tls_any_more_is_one_clear_line_after_what_came(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        with closing(socket.socket(fileno=os.dup(tls.fileno()))) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record with a wrong signature
            with suppress(OSError):
                receive_all(raw)

    with tls_peer(certificate, serve, version) as target:
        done = run(ECHOPROTO, "send", str(target), input=b"hello")
    assert (done.returncode, done.stdout) == (1, b"partial")
    assert re.fullmatch(rf"echoproto: {target}: TLS: .*\n", done.stderr.decode())


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_reset_that_comes_before_the_half_close_is_still_told(certificate, version):
    # The system reports each error once: the sender must leave it for the receiver to report.
    def serve(tls):
        receive_exactly(tls, 5)
        tls.setsockopt(*RESET_AT_CLOSE)

    async def script(connection):
        assert await connection.send(b"hello")
        await asyncio.to_thread(was_reset, connection)
        await connection.send_eof()
        with pytest.raises(NetworkError, match="Connection reset by peer"):
            await connection.receive()

    with tls_peer(certificate, serve, version, cuts=True) as target:
        talk(target, script)
