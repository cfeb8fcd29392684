"""How a connection becomes telnet, and what is not telnet, untouched; on real sockets."""

from __future__ import annotations

import pytest

from telnet_bytes import (
    AO,
    AYT,
    BRK,
    DM,
    DO,
    DONT,
    EC,
    ECHO,
    EL,
    EOF,
    HELLO,
    IAC,
    IP,
    NO_THANKS,
    NOP,
    PUTTY,
    SB,
    SE,
    SGA,
    TTYPE,
    WONT,
)
from telnet_clients import dialled

YES_I_AM = b"\r\n[yes, the echo server is here]\r\n"


def test_the_server_never_speaks_first(client):
    client.was_read()
    client.say(b"x")
    client.hears(b"x")
    assert client.ends() == b""


def test_every_byte_value_comes_back_untouched_also_one_at_a_time(client):
    for value in [*range(256), 255, 255, 255, 0, 255, 13, 255, 255, 10]:
        client.say(bytes([value]))
        client.hears(bytes([value]))
    assert client.ends() == b""


@pytest.mark.parametrize(
    "message",
    [
        bytes(range(256)) * 300,
        bytes(reversed(range(255))) * 3 + b"\xff",
        "naïve ÿ, ÿ!\r\n".encode("latin-1"),
        "héllo wörld\n".encode("utf-16"),
        "héllo wörld\n".encode("utf-16-le"),
        "h\xff".encode("utf-16"),
        b"\xff" * 9,
        b"\xff\xff\r\0\r\n\n\r",
        EC + EL + NOP + DM + EOF + SB + SE,
        IAC + WONT + ECHO + IAC + DONT + ECHO + SB + TTYPE + b"\0xterm" + SE,
        b"\xffa" + HELLO + AYT,
    ],
)
def test_what_is_not_telnet_comes_back_untouched(server, message):
    with dialled(server) as client:
        client.say(message)
        client.hears(message)
        assert client.ends() == b""
    with dialled(server) as client:
        for value in message[:600]:
            client.say(bytes([value]))
            client.hears(bytes([value]))
        assert client.ends() == b""


def test_a_255_that_ends_a_chunk_is_echoed_at_once(client):
    client.say(b"abc\xff")
    client.hears(b"abc\xff")
    client.say(b"\xff")
    client.hears(b"\xff")
    client.say(b"\xff")
    client.hears(b"\xff")
    client.say(b"d\xff")
    client.hears(b"d\xff")
    assert client.ends() == b""


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (HELLO, NO_THANKS),
        (IAC + DO + SGA, IAC + WONT + SGA),
        (AYT, YES_I_AM),
        (IP, b""),
        (BRK, b""),
        (AO, b""),
    ],
)
def test_a_255_that_was_echoed_and_began_a_command_is_made_a_nop(server, command, answer):
    with dialled(server) as client:
        client.say(b"abc\xff")
        client.hears(b"abc\xff")
        client.say(command[1:])
        client.hears_nothing_but(NOP[1:] + answer)
        assert client.ends() == b""


def test_with_telnet_never_every_byte_comes_back_whatever_the_client_shows(serve):
    everything = PUTTY + AYT + IP + bytes(range(256)) + HELLO + EOF + b"\r\n\r\0\xff"
    with serve("-t", "never") as server:
        with dialled(server) as client:
            client.say(everything)
            client.hears(everything)
            for value in everything:
                client.say(bytes([value]))
                client.hears(bytes([value]))
            assert client.ends() == b""
        assert "speaks telnet" not in server.stop()
