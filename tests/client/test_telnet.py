"""Telnet on a connection: bytes in, data out; data in, bytes out; and replies in their order."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from contextlib import asynccontextmanager, suppress

import pytest

from echoproto.client.connection import CHUNK, Connection, NetworkError, connect
from echoproto.client.target import Target
from echoproto.client.telnet import FOR_PERSON, FOR_PIPE, MOST_QUEUED, TelnetConnection
from echoproto.wire.telnet import (
    Command,
    CommandReceived,
    Option,
    OptionChanged,
    Side,
    SubnegotiationReceived,
    TelnetBegins,
    TelnetCodec,
)
from support import DEADLINE, serve
from telnet_rules import EVERYTHING, data_of, received
from telnet_words import in_words

MEBIBYTE = 1 << 20
ROOM = 64 * 1024  # bytes that the system has room for, about, in each direction

IAC, WILL, WONT, DO, DONT, AYT, NOP = (
    bytes([Command[name]]) for name in ("IAC", "WILL", "WONT", "DO", "DONT", "AYT", "NOP")
)
BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS = (bytes([option]) for option in Option)
NAWS_80_24 = b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0"
UNKNOWN = b"\x63"  # an option that nobody agrees to

AWKWARD = bytes(range(256)) + b"\r\n\r\0\r\r\n\n\xff\xff\xff\xfd\x1f\xff\xf0"


class Peer:
    """The other side: bytes as they are on the wire."""

    def __init__(self, sock):
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def say(self, data):
        await self._loop.sock_sendall(self.sock, data)

    async def reads(self, count):
        """The next bytes, so many of them."""
        data = bytearray()
        while len(data) < count:
            more = await self._loop.sock_recv(self.sock, min(count - len(data), MEBIBYTE))
            assert more, f"ended after {len(data)} of {count} bytes: {data[-100:]!r}"
            data += more
        return bytes(data)

    async def hears(self, data):
        """What comes next is this."""
        assert in_words(await self.reads(len(data))) == in_words(data)

    async def rest(self):
        """Everything, up to the end."""
        data = bytearray()
        while more := await self._loop.sock_recv(self.sock, MEBIBYTE):
            data += more
        return bytes(data)

    def ends(self):
        self.sock.shutdown(socket.SHUT_WR)

    def resets(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


@asynccontextmanager
async def talking(codec, tell=lambda _: None, connection_class=Connection):
    """A telnet connection, and its peer, for no longer than the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    with ours, theirs:
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = connection_class(Target("peer", 23, scheme="telnet"), ours)
        async with asyncio.timeout(DEADLINE), TelnetConnection(connection, codec, tell) as telnet:
            yield telnet, Peer(theirs)


def person(mode="always"):
    return TelnetCodec(FOR_PERSON, mode=mode, terminal_type="dumb", window_size=(80, 24))


async def everything(telnet):
    data = bytearray()
    while more := await telnet.receive():
        data += more
    return bytes(data)


async def until(condition):
    """Let everything else go on until `condition` holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - it gives no event to wait for
            await asyncio.sleep(0.001)


# What is received


def test_received_data_is_free_of_telnet():
    async def main():
        async with talking(person()) as (telnet, peer):
            await peer.say(IAC + WILL + ECHO + b"lo" + IAC + DO + NAWS + b"gin" + IAC + IAC + b": ")
            peer.ends()
            assert await everything(telnet) == b"login\xff: "

    asyncio.run(main())


def test_what_is_only_telnet_is_not_taken_for_the_end():
    async def main():
        async with talking(person()) as (telnet, peer):
            receiving = asyncio.create_task(telnet.receive())
            for piece in (IAC, WILL, ECHO, IAC, NOP, IAC, IAC):
                await peer.say(piece)
            assert await receiving == b"\xff"
            peer.ends()
            assert [await telnet.receive(), await telnet.receive()] == [b"", b""]

    asyncio.run(main())


def test_what_is_no_data_is_told_in_its_order():
    told = []

    async def main():
        async with talking(person("auto"), told.append) as (telnet, peer):
            await peer.say(b"plain" + IAC + DO + NAWS + IAC + WILL + ECHO + IAC + AYT)
            await peer.say(IAC + b"\xfa" + TTYPE + b"\1" + IAC + b"\xf0" + IAC + WONT + ECHO)
            peer.ends()
            assert await everything(telnet) == b"plain"

    asyncio.run(main())
    assert told == [
        TelnetBegins(),
        OptionChanged(Side.US, Option.NAWS, on=True),
        OptionChanged(Side.HIM, Option.ECHO, on=True),
        CommandReceived(Command.AYT),
        SubnegotiationReceived(Option.TTYPE, b"\1"),
        OptionChanged(Side.HIM, Option.ECHO, on=False),
    ]


def test_at_the_end_a_255_that_might_have_begun_telnet_is_data():
    async def main():
        async with talking(person("auto")) as (telnet, peer):
            await peer.say(b"abc\xff")
            peer.ends()
            assert await everything(telnet) == b"abc\xff"
            assert await telnet.receive() == b""

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["auto", "never"])
def test_a_peer_without_telnet_is_untouched_both_ways(mode):
    data = b"\xff\x80" + AWKWARD * 100

    async def main():
        async with talking(person(mode)) as (telnet, peer):
            await peer.say(data)
            peer.ends()
            assert await everything(telnet) == data
            assert await telnet.send(data)
            await telnet.send_eof()
            assert await peer.rest() == data

    asyncio.run(main())


# What is sent


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (IAC + DO + NAWS, IAC + WILL + NAWS + NAWS_80_24),
        (IAC + DO + UNKNOWN, IAC + WONT + UNKNOWN),
        (IAC + WILL + UNKNOWN, IAC + DONT + UNKNOWN),
        (IAC + WILL + ECHO + IAC + WILL + SGA, IAC + DO + ECHO + IAC + DO + SGA),
        (IAC + DO + TIMING_MARK, IAC + WILL + TIMING_MARK),
    ],
    ids=in_words,
)
def test_what_the_peer_asks_is_answered_also_while_nothing_is_sent(said, heard):
    async def main():
        async with talking(person()) as (telnet, peer):
            receiving = asyncio.create_task(telnet.receive())
            await peer.say(said)
            await peer.hears(heard)
            peer.ends()
            assert await receiving == b""

    asyncio.run(main())


def test_an_answer_stands_before_the_data_that_is_sent_after_it():
    async def main():
        async with talking(person()) as (telnet, peer):
            for _ in range(20):
                await peer.say(IAC + DO + TIMING_MARK + b"?")
                assert await telnet.receive() == b"?"
                assert await telnet.send(b"\xff")
                await peer.hears(IAC + WILL + TIMING_MARK + IAC + IAC)

    asyncio.run(main())


def test_a_person_is_not_a_pipe():
    async def main(policy, answer):
        async with talking(TelnetCodec(policy)) as (telnet, peer):
            await peer.say(IAC + WILL + ECHO + IAC + DO + TTYPE + IAC + DO + BINARY + b"!")
            assert await telnet.receive() == b"!"
            await peer.hears(answer + IAC + WILL + BINARY)

    asyncio.run(main(FOR_PERSON, IAC + DO + ECHO + IAC + WILL + TTYPE))
    asyncio.run(main(FOR_PIPE, IAC + DONT + ECHO + IAC + WONT + TTYPE))


def test_answers_wait_for_the_end_of_a_large_send_and_stand_in_their_order():
    data = AWKWARD * (8 * MEBIBYTE // len(AWKWARD))

    async def main():
        async with talking(person()) as (telnet, peer):
            sending = asyncio.create_task(telnet.send(data))
            wire = await peer.reads(1)  # it has begun; and most of it has no room
            for option in (NAWS, TTYPE, UNKNOWN):
                await peer.say(IAC + DO + option + b"?")
                assert await telnet.receive() == b"?"
            telnet.send_command(Command.AYT)
            telnet.resize(100, 50)
            then = asyncio.create_task(telnet.send(b"then"))
            await asyncio.sleep(0)
            assert not sending.done()
            assert not then.done()
            expected = (
                TelnetCodec(FOR_PERSON).encode(data)
                + (IAC + WILL + NAWS + NAWS_80_24)
                + (IAC + WILL + TTYPE)
                + (IAC + WONT + UNKNOWN)
                + (IAC + AYT)
                + (b"\xff\xfa\x1f\0\x64\0\x32\xff\xf0")
                + b"then"
            )
            wire += await peer.reads(len(expected) - 1)
            assert wire == expected
            assert await sending
            assert await then
            await telnet.send_eof()
            assert await peer.rest() == b""
            codec = TelnetCodec(EVERYTHING)
            assert data_of(received(codec, wire)) == data + b"then"
            assert codec.held == b""

    asyncio.run(main())


def test_data_that_began_before_binary_is_sent_as_it_began():
    before = b"\r\xff\n\r\n" * MEBIBYTE

    async def main():
        async with talking(person()) as (telnet, peer):
            first = asyncio.create_task(telnet.send(before))
            wire = await peer.reads(1)
            second = asyncio.create_task(telnet.send(b"\r\xff\n"))
            await peer.say(IAC + DO + BINARY + b"?")
            assert await telnet.receive() == b"?"
            assert not first.done()
            expected = (
                before.replace(b"\r\xff", b"\r\0\xff\xff") + (IAC + WILL + BINARY) + b"\r\xff\xff\n"
            )
            wire += await peer.reads(len(expected) - 1)
            assert wire == expected
            assert await first
            assert await second

    asyncio.run(main())


def test_commands_and_a_new_window_size_are_sent():
    async def main():
        async with talking(person()) as (telnet, peer):
            telnet.resize(1, 2)  # nobody wants to know
            telnet.send_command(Command.AYT)
            await peer.hears(IAC + AYT)
            await peer.say(IAC + DO + NAWS + b"?")
            assert await telnet.receive() == b"?"
            await peer.hears(IAC + WILL + NAWS + b"\xff\xfa\x1f\0\1\0\2\xff\xf0")
            telnet.resize(255, 24)
            await peer.hears(b"\xff\xfa\x1f\0\xff\xff\0\x18\xff\xf0")
            telnet.send_command(Command.IP)
            telnet.send_command(Command.BRK)
            await peer.hears(IAC + b"\xf4" + IAC + b"\xf3")

    asyncio.run(main())


def test_a_command_makes_it_telnet_unless_it_is_known_not_to_be():
    async def main():
        async with talking(person("auto")) as (telnet, peer):
            assert await telnet.send(b"\xff")
            telnet.send_command(Command.AYT)
            assert await telnet.send(b"\xff")
            await peer.hears(b"\xff" + IAC + AYT + IAC + IAC)
        async with talking(person("auto")) as (telnet, peer):
            await peer.say(b"\xff\x80")
            assert await telnet.receive() == b"\xff\x80"
            with pytest.raises(ValueError, match="this connection is not telnet"):
                telnet.send_command(Command.AYT)
            assert await telnet.send(b"\xff")
            await telnet.send_eof()
            assert await peer.rest() == b"\xff"

    asyncio.run(main())


def test_a_command_is_sent_before_the_half_close_that_follows_it():
    async def main():
        async with talking(person()) as (telnet, peer):
            telnet.send_command(Command.EOF)
            await telnet.send_eof()
            assert in_words(await peer.rest()) == "EOF"

    asyncio.run(main())


def test_an_answer_is_sent_before_the_half_close_that_follows_it():
    async def main():
        async with talking(person()) as (telnet, peer):
            await peer.say(IAC + DO + NAWS + b"?")
            assert await telnet.receive() == b"?"
            await telnet.send_eof()
            assert in_words(await peer.rest()) == "WILL NAWS · SB NAWS 80 24 SE"

    asyncio.run(main())


# Much of it


class Watched(Connection):
    """A connection that notes how much waits to be sent whenever more is received."""

    telnet = None
    most = 0

    async def receive(self):
        self.most = max(self.most, len(self.telnet._queued))
        return await super().receive()


@pytest.mark.parametrize("large", [b"", AWKWARD * (4 * MEBIBYTE // len(AWKWARD))], ids=len)
def test_a_peer_that_asks_and_does_not_read_is_received_from_no_more(large):
    # Each request has an answer of its length: what waits to be sent is what it does not read.
    times = MEBIBYTE // 2
    request, answer = IAC + DO + UNKNOWN, IAC + WONT + UNKNOWN

    async def main():
        async with talking(person(), connection_class=Watched) as (telnet, peer):
            watched = telnet._connection
            watched.telnet = telnet
            receiving = asyncio.create_task(telnet.receive())
            sending = asyncio.create_task(telnet.send(large))
            wire = await peer.reads(1) if large else b""
            asking = asyncio.create_task(peer.say(request * times + b"done"))
            await until(lambda: len(telnet._queued) > MOST_QUEUED)
            assert not asking.done()
            # It begins to read: all goes on.
            expected = TelnetCodec(FOR_PERSON).encode(large) + answer * times
            wire += await peer.reads(len(expected) - len(wire))
            assert wire == expected
            await asking
            assert await sending
            received = await receiving
            if len(received) < 4:
                peer.ends()
                received += await everything(telnet)
            assert received == b"done"
            assert watched.most <= MOST_QUEUED

    asyncio.run(main())


def test_both_sides_send_much_at_the_same_time():
    data = AWKWARD * (10 * MEBIBYTE // len(AWKWARD))

    async def main():
        async with talking(person()) as (telnet, peer):

            async def peer_sends():
                for _ in range(10):
                    await peer.say(TelnetCodec(FOR_PERSON).encode(data[: len(data) // 10 + 1]))
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


async def through(port, data, *, first=b"", policy=FOR_PIPE):
    """`data` through an echo server on telnet, in the manner of a pipe."""
    codec = TelnetCodec(policy)
    async with (
        asyncio.timeout(DEADLINE),
        connect(Target("127.0.0.1", port, scheme="telnet")) as connection,
        TelnetConnection(connection, codec) as telnet,
    ):
        if first:
            await connection.send(codec.request(Side.US, Option.BINARY, on=True))
            await telnet.send(first)
            assert await telnet.receive() == first
            assert codec.is_on(Side.US, Option.BINARY)

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


def was_reset(telnet):
    poll = select.poll()
    poll.register(telnet._connection._socket, 0)
    (found,) = poll.poll(DEADLINE * 1000)
    assert found[1] & select.POLLERR


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
    # The system tells each error once: who sends must not swallow what who receives has to tell.
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
                while await telnet.send(b"x" * CHUNK):
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
                    telnet._connection._socket.send(b"x" * MEBIBYTE)
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
