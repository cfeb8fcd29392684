"""Where a stream of telnet is cut into data and commands, and when it is telnet at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.telnet.commands import Command, TelnetStarted
from echoproto.wire.telnet.scanner import Scanner
from telnet_bytes import AYT, DO, ECHO, IAC, NOP, SB, SE, TTYPE, WILL, WONT


def pieces(mode, *chunks):
    """What a scanner gives for `chunks`, with neighbouring data joined."""
    scanner = Scanner(mode)
    found = []
    for chunk in chunks:
        scanner.feed(chunk)
        while (piece := scanner.next()) is not None:
            if isinstance(piece, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += piece
            else:
                found.append(piece)
    return found


def test_data_and_commands_come_in_their_order():
    stream = b"a\xff\xffb" + AYT + b"c" + IAC + WILL + ECHO + SB + TTYPE + b"\1" + SE
    assert pieces("always", stream) == [
        b"a\xffb",
        (Command.AYT,),
        b"c",
        (Command.WILL, 1),
        (Command.SB,),
        TTYPE + b"\1",
        (Command.SE,),
    ]


@pytest.mark.parametrize("greeting", [IAC + WILL + ECHO, IAC + DO + ECHO, AYT])
def test_in_auto_mode_bytes_pass_untouched_until_the_peer_shows_telnet(greeting):
    found = pieces("auto", b"a\r\0" + NOP + greeting + NOP)
    assert found[:2] == [b"a\r\0" + NOP, TelnetStarted()]
    assert found[-1] == (Command.NOP,)


@pytest.mark.parametrize("stream", [b"a\xffb" + AYT, b"\xff\x00" + IAC + DO + ECHO])
def test_a_255_that_begins_no_command_settles_that_it_is_not_telnet(stream):
    assert pieces("auto", stream) == [stream]


def test_commands_that_telnet_shares_with_nothing_settle_nothing():
    assert pieces("auto", IAC + WONT + ECHO + NOP) == [IAC + WONT + ECHO + NOP]
    assert pieces("auto", NOP, AYT) == [NOP, TelnetStarted(), (Command.AYT,)]


def test_never_is_never():
    stream = IAC + WILL + ECHO + AYT
    assert pieces("never", stream) == [stream]


@pytest.mark.parametrize(("mode", "rest"), [("auto", b"\xff"), ("always", b""), ("never", b"")])
def test_a_last_255_is_pending_and_is_data_at_the_end_unless_it_is_telnet(mode, rest):
    scanner = Scanner(mode)
    scanner.feed(b"a\xff")
    assert scanner.next() == (b"a\xff" if mode == "never" else b"a")
    assert scanner.pending == (b"" if mode == "never" else b"\xff")
    assert scanner.next() is None
    assert scanner.end() == rest
    assert scanner.taken == 2


@given(
    st.lists(st.sampled_from([b"a", b"\xff\xff", AYT, IAC + WILL + ECHO, NOP, b"\xffa"])),
    st.sampled_from(["auto", "always", "never"]),
)
def test_however_a_stream_is_cut_the_pieces_are_the_same(parts, mode):
    stream = b"".join(parts)
    assert pieces(mode, *(bytes([byte]) for byte in stream)) == pieces(mode, stream)
