"""Telnet on a connection: much at a time, peers that do not read, connections that are lost."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import pytest

from echoproto.client.connection import MAX_QUEUED, ClientConnection, connect
from echoproto.client.stream import MAX_RECEIVE
from echoproto.client.target import Target
from echoproto.errors import NetworkError
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import PIPE_POLICY, SHELL_POLICY, Option
from peers import everything, until, was_reset
from support import DEADLINE, serve
from telnet_bytes import DO, IAC, NAWS, WONT
from telnet_peer import MEBIBYTE, person, talking
from telnet_rules import EVERYTHING, data_of, received

NAWS_80_24 = b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0"
UNKNOWN = b"\x63"  # an option that nobody agrees to

AWKWARD = bytes(range(256)) + b"\r\n\r\0\r\r\n\n\xff\xff\xff\xfd\x1f\xff\xf0"


# Much of it


def test_a_peer_that_makes_us_reply_without_end_does_not_keep_what_is_typed_from_it():
    async def main():
        async with talking(person()) as (telnet, peer):

            async def flood():
                while True:
                    await peer.say((IAC + DO + UNKNOWN) * 5000)

            async def replies_before_typed():
                count, last = 0, b""
                while b"hello" not in last:
                    last = last[-5:] + await peer.reads(1000)
                    count += 1000
                return count

            tasks = [asyncio.create_task(each) for each in (flood(), everything(telnet))]
            await peer.reads(1000)
            sending = asyncio.create_task(telnet.send(b"hello\r\n" * 1000))
            assert await replies_before_typed() < 2 * MEBIBYTE
            for task in [*tasks, sending]:
                task.cancel()
            await asyncio.gather(*tasks, sending, return_exceptions=True)

    asyncio.run(main())


class Watched(ClientConnection):
    """A connection that notes how much waits to be sent."""

    most = 0

    def _handle_events(self):
        super()._handle_events()
        self.most = max(self.most, len(self._queued))


@pytest.mark.parametrize("large", [b"", AWKWARD * (4 * MEBIBYTE // len(AWKWARD))], ids=len)
def test_a_peer_that_asks_and_does_not_read_is_received_from_no_more(large):
    # Each answer is as long as its request: the queue holds what the peer has not read.
    times = MEBIBYTE // 2
    request, answer = IAC + DO + UNKNOWN, IAC + WONT + UNKNOWN

    async def main():
        async with talking(person(), connection_class=Watched) as (telnet, peer):
            receiving = asyncio.create_task(telnet.receive())
            sending = asyncio.create_task(telnet.send(large))
            wire = await peer.reads(1) if large else b""
            asking = asyncio.create_task(peer.say(request * times + b"done"))
            await until(lambda: len(telnet._queued) > MAX_QUEUED)
            assert not asking.done()
            # It begins to read: all goes on.
            expected = TelnetCodec(SHELL_POLICY).send(large) + answer * times
            wire += await peer.reads(len(expected) - len(wire))
            assert wire == expected
            await asking
            assert await sending
            received = await receiving
            if len(received) < 4:
                peer.ends()
                received += await everything(telnet)
            assert received == b"done"
            # A request that is cut between two reads is answered with the second.
            assert MAX_QUEUED < telnet.most <= MAX_QUEUED + MAX_RECEIVE + len(answer)

    asyncio.run(main())


def test_both_sides_send_much_at_the_same_time():
    data = AWKWARD * (10 * MEBIBYTE // len(AWKWARD))

    async def main():
        async with talking(person()) as (telnet, peer):

            async def peer_sends():
                for _ in range(10):
                    await peer.say(TelnetCodec(SHELL_POLICY).send(data[: len(data) // 10 + 1]))
                    await peer.say(IAC + DO + UNKNOWN)
                peer.ends()

            async def we_send():
                assert await telnet.send(data)
                await sent_all.wait()
                await telnet.send_eof()

            async def we_receive():
                got = await everything(telnet)
                sent_all.set()
                return got

            sent_all = asyncio.Event()
            codec = TelnetCodec(EVERYTHING)
            _, _, got, wire = await asyncio.gather(
                peer_sends(), we_send(), we_receive(), peer.rest()
            )
            assert got == data[: len(data) // 10 + 1] * 10
            assert data_of(received(codec, wire)) == data
            assert wire.count(IAC + WONT + UNKNOWN) == 10

    asyncio.run(main())


async def through(port, data, *, first=b"", policy=PIPE_POLICY):
    """`data` through an echo server on telnet, in the manner of a pipe."""
    codec = TelnetCodec(policy)
    async with (
        asyncio.timeout(DEADLINE),
        connect(Target("127.0.0.1", port, scheme="telnet"), telnet=codec) as telnet,
    ):
        if first:
            telnet._queue(codec, codec.request(Side.LOCAL, Option.BINARY, on=True))
            await telnet.send(first)
            assert await telnet.receive() == first
            assert codec.is_on(Side.LOCAL, Option.BINARY)

        async def send():
            for at in range(0, len(data), 256 * 1024 - 1):
                assert await telnet.send(data[at : at + 256 * 1024 - 1])
            await telnet.send_eof()

        _, got = await asyncio.gather(send(), everything(telnet))
        return got


def test_ten_mebibytes_come_back_exactly_from_a_server_that_was_shown_no_telnet(server):
    # 255 comes back doubled, and a bare CR as CR NUL, as they were sent.
    data = AWKWARD * (5 * MEBIBYTE // len(AWKWARD)) + os.urandom(5 * MEBIBYTE)
    got = asyncio.run(through(server.port, data))
    assert len(got) == len(data)
    assert got == data


def test_a_telnet_echo_server_gives_lines_back_with_cr_lf():
    data = b"\xff one\n two\r\n three\r four \xff\n" * 200_000
    with serve("--telnet", "always") as server:
        got = asyncio.run(through(server.port, data))
    expected = b"\xff one\r\n two\r\n three\r\n four \xff\r\n" * 200_000
    assert len(got) == len(expected)
    assert got == expected


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_a_telnet_echo_server_gives_back_what_was_sent_in_binary_exactly(mode):
    data = AWKWARD * (5 * MEBIBYTE // len(AWKWARD)) + os.urandom(5 * MEBIBYTE)
    with serve("--telnet", mode) as server:
        got = asyncio.run(through(server.port, data, first=b"?"))
    assert len(got) == len(data)
    assert got == data


# Connections that are lost


def test_a_reset_is_told_by_who_receives():
    async def main():
        async with talking(person()) as (telnet, peer):
            receiving = asyncio.create_task(telnet.receive())
            await until(lambda: receiving.done() or len(asyncio.all_tasks()) > 1)
            peer.resets()
            with pytest.raises(NetworkError, match="telnet://peer:23: Connection reset by peer"):
                await receiving

    asyncio.run(main())


def test_a_reset_is_told_by_who_sends():
    async def main():
        async with talking(person()) as (telnet, peer):
            peer.resets()
            was_reset(telnet)
            with pytest.raises(NetworkError, match="telnet://peer:23: Connection reset by peer"):
                await telnet.send(b"x")
            assert not await telnet.send(b"x")

    asyncio.run(main())


def test_a_reset_that_a_command_met_first_is_still_told():
    # The system reports each error once: the sender must leave it for the receiver to report.
    async def main():
        async with talking(person()) as (telnet, peer):
            peer.resets()
            was_reset(telnet)
            telnet.send_command(Command.AYT)
            await until(lambda: len(asyncio.all_tasks()) == 1)  # it is sent, as far as it can be
            with pytest.raises(NetworkError, match="Connection reset by peer"):
                await telnet.receive()

    asyncio.run(main())


def test_a_peer_that_has_closed_takes_no_more():
    async def main():
        async with talking(person()) as (telnet, peer):
            await peer.say(b"bye" + IAC + DO + NAWS)
            peer.sock.close()
            assert await telnet.receive() == b"bye"
            with suppress(NetworkError):
                while await telnet.send(b"x" * MAX_RECEIVE):
                    pass
            telnet.send_command(Command.AYT)
            telnet.resize(1, 1)
            assert not await telnet.send(b"x")
            await telnet.send_eof()

    asyncio.run(main())


@pytest.mark.parametrize("commands", [1, 2, 3])
def test_nothing_of_it_goes_on_after_its_block(commands):
    async def main():
        async with talking(person()) as (telnet, peer):
            with suppress(BlockingIOError):
                while True:
                    telnet.stream.socket.send(b"x" * MEBIBYTE)
            for _ in range(commands):
                telnet.send_command(Command.AYT)
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) > 1
            del peer
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
