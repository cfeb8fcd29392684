"""A connection through TLS to peers that do not read."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from peers import EACH_VERSION, printed, talk, tls_peer
from support import BIN, DEADLINE, eventually, memory, receive_all, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20


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
        start(ECHOPROTO, "send", "--shutdown", "0", str(target)) as process,
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
