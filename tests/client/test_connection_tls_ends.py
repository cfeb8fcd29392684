"""How a connection through TLS ends, and peers that do not read."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from echoproto.client.stream import MAX_RECEIVE
from echoproto.errors import NetworkError
from peers import RESET_AT_CLOSE, everything, printed, talk, tls_peer, was_reset
from support import BIN, DEADLINE, eventually, receive_all, receive_exactly, run, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20

EACH_VERSION = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name
)


def closes_notify(tls):
    """End the sending side of TLS, as `openssl s_server` does, and go on with nothing."""
    with suppress(OSError):  # the other side may be gone, or go on sending
        tls.unwrap()


# How a connection ends


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


# Peers that do not read


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_peer_that_sends_but_does_not_read_is_received_from(certificate, version):
    data = os.urandom(8 * MEBIBYTE)
    got_all = threading.Event()

    def serve(tls):
        tls.sendall(data)
        assert got_all.wait(DEADLINE)
        received.append(receive_all(tls))

    async def script(connection):
        sending = asyncio.create_task(connection.send(data))
        got = b""
        while len(got) < len(data):
            got += await connection.receive()
        assert not sending.done()
        got_all.set()
        assert await sending
        await connection.send_eof()
        assert await connection.receive() == b""
        return got

    received = []
    with tls_peer(certificate, serve, version) as target:
        assert talk(target, script) == data
    assert received == [data]


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_two_that_send_at_the_same_time_send_one_after_the_other(certificate, version):
    first, second = bytes(4 * MEBIBYTE), b"x" * (4 * MEBIBYTE)
    both_began = threading.Event()

    def serve(tls):
        assert both_began.wait(DEADLINE)
        received.append(receive_all(tls))

    async def script(connection):
        sending = [asyncio.create_task(connection.send(data)) for data in (first, second)]
        for _ in range(5):
            await asyncio.sleep(0)
        both_began.set()
        assert await asyncio.gather(*sending) == [True, True]
        await connection.send_eof()
        assert await connection.receive() == b""

    received = []
    with tls_peer(certificate, serve, version) as target:
        talk(target, script)
    assert received == [first + second]


@pytest.mark.usefixtures("trusted")
def test_a_peer_that_does_not_read_keeps_memory_bounded(certificate):
    enough = threading.Event()

    def serve(tls):
        tls.sendall(b"ready")
        assert enough.wait(DEADLINE)
        count = 0
        while data := tls.recv(MEBIBYTE):
            count += len(data)
        tls.sendall(str(count).encode())

    def feed():
        with process.stdin:
            for _ in range(64):
                process.stdin.write(bytes(MEBIBYTE))
                written.append(MEBIBYTE)

    def is_stuck():
        counts.append(sum(written))
        return len(counts) > 10 and len(set(counts[-10:])) == 1

    written, counts = [], []
    with (
        tls_peer(certificate, serve) as target,
        start(ECHOPROTO, "send", str(target)) as process,
    ):
        try:
            assert printed(process) == b"ready"
            before = memory(process)
            feeder = threading.Thread(target=feed)
            feeder.start()
            eventually(is_stuck, "it takes no more input")
            assert sum(written) < 32 * MEBIBYTE
            assert memory(process) - before < 16 * MEBIBYTE
        finally:
            enough.set()
        assert process.stdout.read() == str(64 * MEBIBYTE).encode()
        feeder.join(DEADLINE)
        assert process.wait(DEADLINE) == 0


def memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
