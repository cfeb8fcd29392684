"""A connection while its peer renegotiates the keys of TLS 1.2."""

from __future__ import annotations

import asyncio
import select
import signal
from contextlib import contextmanager

import pytest

from echoproto.client.connection import connect
from echoproto.client.target import Target
from peers import everything, talk
from support import DEADLINE, program, watched

pytestmark = pytest.mark.usefixtures("trusted")


@contextmanager
def renegotiating(certificate):
    """`openssl s_server`, with TLS 1.2; gives its process, its port, and what it writes."""
    with watched(
        program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", certificate,
        "-key", certificate, "-tls1_2",
    ) as (process, output):  # fmt: skip
        (found,) = output.wait_for(r"ACCEPT .*:(\d+)")
        yield process, int(found[1]), output


def ask_for_keys(process):
    process.stdin.write(b"r\n")
    process.stdin.flush()


def test_while_a_peer_renegotiates_and_stops_nothing_more_is_taken(certificate):
    async def main(target):
        async with asyncio.timeout(DEADLINE), connect(target) as connection:
            ask_for_keys(process)
            assert await asyncio.to_thread(
                select.select, [connection.stream.socket], [], [], DEADLINE
            )
            process.send_signal(signal.SIGSTOP)  # it has asked for new keys, and goes on no more
            receiving = asyncio.create_task(everything(connection))
            sent = 0
            while not connection._tls.pending:
                assert await connection.send(b"line\n")
                sent += 1
            one_more = asyncio.create_task(connection.send(b"line\n"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not one_more.done()
            process.send_signal(signal.SIGCONT)
            assert await one_more
            await connection.send_eof()
            assert await receiving == b""
            return sent + 1

    with renegotiating(certificate) as (process, port, output):
        sent = asyncio.run(main(Target("localhost", port, scheme="tls")))
        output.wait_for("^DONE")
        assert output.text.count("line\n") == sent


def test_a_peer_that_renegotiates_is_answered_also_if_nobody_receives(certificate):
    async def script(connection):
        ask_for_keys(process)
        assert await asyncio.to_thread(select.select, [connection.stream.socket], [], [], DEADLINE)
        process.send_signal(signal.SIGSTOP)
        receiving = asyncio.create_task(connection.receive())
        sent = 0
        while not connection._tls.pending:
            assert await connection.send(b"line\n")
            sent += 1
        receiving.cancel()
        process.send_signal(signal.SIGCONT)
        assert await connection.send(b"line\n")
        assert await connection.delivered()
        await connection.send_eof()
        assert await everything(connection) == b""
        return sent + 1

    with renegotiating(certificate) as (process, port, output):
        sent = talk(Target("localhost", port, scheme="tls"), script)
        output.wait_for("^DONE")
        assert output.text.count("line\n") == sent
