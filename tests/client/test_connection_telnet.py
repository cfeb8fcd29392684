"""Telnet on a connection: bytes in, data out; data in, bytes out; and replies in their order."""

from __future__ import annotations

import asyncio

import pytest

from echoproto.errors import NotTelnetError
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import (
    Command,
    CommandReceived,
    OptionChanged,
    SubnegotiationReceived,
    TelnetStarted,
)
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import PIPE_POLICY, SHELL_POLICY, Option
from peers import everything
from telnet_bytes import (
    AYT,
    BINARY,
    DO,
    DONT,
    ECHO,
    IAC,
    NAWS,
    NOP,
    SGA,
    TIMING_MARK,
    TTYPE,
    UNKNOWN,
    WILL,
    WONT,
)
from telnet_peer import MEBIBYTE, person, talking
from telnet_rules import EVERYTHING, data_of, received
from telnet_words import in_words

NAWS_80_24 = b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0"

AWKWARD = bytes(range(256)) + b"\r\n\r\0\r\r\n\n\xff\xff\xff\xfd\x1f\xff\xf0"


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
            for piece in (IAC, WILL, ECHO, IAC, NOP[1:], IAC, IAC):
                await peer.say(piece)
            assert await receiving == b"\xff"
            peer.ends()
            assert [await telnet.receive(), await telnet.receive()] == [b"", b""]

    asyncio.run(main())


def test_what_is_no_data_is_told_in_its_order():
    told = []

    async def main():
        async with talking(person("auto"), told.append) as (telnet, peer):
            await peer.say(b"plain" + IAC + DO + NAWS + IAC + WILL + ECHO + AYT)
            await peer.say(IAC + b"\xfa" + TTYPE + b"\1" + IAC + b"\xf0" + IAC + WONT + ECHO)
            peer.ends()
            assert await everything(telnet) == b"plain"

    asyncio.run(main())
    assert told == [
        TelnetStarted(),
        OptionChanged(Side.LOCAL, Option.NAWS, on=True),
        OptionChanged(Side.REMOTE, Option.ECHO, on=True),
        CommandReceived(Command.AYT),
        SubnegotiationReceived(Option.TTYPE, b"\1"),
        OptionChanged(Side.REMOTE, Option.ECHO, on=False),
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
        (IAC + DO + TIMING_MARK, IAC + WONT + TIMING_MARK),
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
                await peer.hears(IAC + WONT + TIMING_MARK + IAC + IAC)

    asyncio.run(main())


def test_a_person_is_not_a_pipe():
    async def main(policy, answer):
        async with talking(TelnetCodec(policy)) as (telnet, peer):
            await peer.say(IAC + WILL + ECHO + IAC + DO + TTYPE + IAC + DO + BINARY + b"!")
            assert await telnet.receive() == b"!"
            await peer.hears(answer + IAC + WILL + BINARY)

    asyncio.run(main(SHELL_POLICY, IAC + DO + ECHO + IAC + WILL + TTYPE))
    asyncio.run(main(PIPE_POLICY, IAC + DONT + ECHO + IAC + WONT + TTYPE))


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
                TelnetCodec(SHELL_POLICY).send(data)
                + (IAC + WILL + NAWS + NAWS_80_24)
                + (IAC + WILL + TTYPE)
                + (IAC + WONT + UNKNOWN)
                + AYT
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
            assert codec.pending == b""

    asyncio.run(main())


def test_a_cr_lf_that_is_cut_between_two_sends_is_one_line_end():
    async def main():
        async with talking(person()) as (telnet, peer):
            for data in (b"a\r", b"\nb\r", b"c\r"):
                assert await telnet.send(data)
            await telnet.send_eof()
            assert await peer.rest() == b"a\r\nb\r\0c\r\0"

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
            await peer.hears(AYT)
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
            await peer.hears(b"\xff" + AYT + IAC + IAC)
        async with talking(person("auto")) as (telnet, peer):
            await peer.say(b"\xff\x80")
            assert await telnet.receive() == b"\xff\x80"
            with pytest.raises(NotTelnetError, match="this connection is not telnet"):
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
