"""Where a stream of telnet is cut into data and commands, and when it is telnet at all."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.telnet.scanner import (
    MIN_BLOCK,
    PROMPT_WINDOW,
    SIGNS_OF_CLIENT,
    SIGNS_OF_SERVER,
    Scanner,
)
from telnet_bytes import AYT, DO, DONT, ECHO, EOR, GA, IAC, NAWS, NOP, SB, SE, TTYPE, WILL, WONT


def pieces(mode, *chunks, signs=SIGNS_OF_CLIENT):
    """What a scanner gives for `chunks`: plain data, and then the pieces of telnet."""
    scanner = Scanner(mode, signs)
    plain, found = b"", []
    for chunk in chunks:
        scanner.feed(chunk)
        while scanner.mode != "always" and (more := scanner.take_plain()):
            plain += more
        while scanner.mode == "always" and scanner.cut():
            found += take_pieces(scanner)
    return plain, found


def take_pieces(scanner):
    for piece in scanner.pieces:
        scanner.taken += len(piece)
        yield piece


def test_data_and_commands_come_in_their_order():
    ttype, will = SB + TTYPE + b"\1" + SE, IAC + WILL + ECHO
    stream = b"a\xff\xffb" + AYT + b"c" + will + ttype + ttype[:-2] + NOP
    expected = [b"a", b"\xff\xffb", AYT, b"c", will, ttype, SB, TTYPE + b"\1", NOP]
    assert pieces("always", stream) == (b"", expected)


@pytest.mark.parametrize("cut", range(1, 8))
def test_what_is_not_complete_is_not_taken_yet(cut):
    stream = b"a\xff\xff" + NOP + IAC + WILL + IAC + NOP
    scanner = Scanner("always")
    scanner.feed(stream[:cut])
    found = [*take_pieces(scanner)] if scanner.cut() else []
    assert b"".join(found) + scanner.pending == stream[:cut]
    scanner.feed(stream[cut:])
    assert scanner.cut()
    assert b"".join([*found, *take_pieces(scanner)]) == stream
    assert scanner.taken == len(stream)


def test_the_rest_that_is_taken_begins_with_the_first_piece_that_was_not():
    scanner = Scanner("always")
    scanner.feed(b"a" + NOP + b"b" + AYT + IAC)
    assert scanner.cut()
    pieces = take_pieces(scanner)
    assert [next(pieces), next(pieces)] == [b"a", NOP]
    scanner.feed(b"c")
    assert scanner.take_rest() == b"b" + AYT + IAC + b"c"
    assert not scanner.pending
    assert not scanner.cut()


@pytest.mark.parametrize("piece", [NOP, IAC + WILL + ECHO, IAC + IAC, SB + b"\x63", SB + SE])
def test_only_so_many_bytes_are_cut_at_a_time(piece):
    scanner = Scanner("always")
    scanner.feed(piece * MIN_BLOCK)
    assert scanner.cut()
    assert MIN_BLOCK <= sum(map(len, take_pieces(scanner))) <= MIN_BLOCK + len(piece)
    scanner.feed(b"x" * 3 * MIN_BLOCK)
    while scanner.cut():
        last = [*take_pieces(scanner)][-1]
    assert last.endswith(b"x" * 3 * MIN_BLOCK)


@pytest.mark.parametrize("greeting", [IAC + WILL + ECHO, IAC + DO + ECHO, AYT])
def test_in_auto_mode_bytes_pass_untouched_until_the_peer_shows_telnet(greeting):
    plain = b"a\r\0" + NOP
    assert pieces("auto", plain + greeting + NOP) == (plain, [greeting, NOP])


@pytest.mark.parametrize("stream", [b"a\xffb" + AYT, b"\xff\x00" + IAC + DO + ECHO])
def test_a_255_that_begins_no_command_settles_that_it_is_not_telnet(stream):
    assert pieces("auto", stream) == (stream, [])


def test_commands_that_telnet_shares_with_nothing_settle_nothing():
    stream = IAC + WONT + ECHO + NOP
    assert pieces("auto", stream) == (stream, [])
    assert pieces("auto", NOP, AYT) == (NOP, [AYT])


# What shows that a server is telnet

GMCP = b"\xc9"
REFUSALS = [IAC + WONT + ECHO, IAC + DONT + NAWS, IAC + WONT + GMCP]


@pytest.mark.parametrize("greeting", [IAC + WILL + ECHO, IAC + DO + ECHO, AYT, *REFUSALS])
def test_a_server_shows_telnet_by_refusals_too(greeting):
    plain = b"a\r\0" + NOP
    expected = (plain, [greeting, NOP])
    assert pieces("auto", plain + greeting + NOP, signs=SIGNS_OF_SERVER) == expected
    if greeting in REFUSALS:
        stream = plain + greeting
        assert pieces("auto", stream) == (stream, [])


@pytest.mark.parametrize("end", [GA, EOR])
@pytest.mark.parametrize(
    "text",
    [
        *[b"login: ", b"Welcome\r\n", b"x", "žluťoučký> ".encode(), b"na\xefve> "],
        *[b"\x1b[1mlogin:\x1b[0m ", b"\0" + b"x" * PROMPT_WINDOW, b"\0" + NOP + b"> "],
    ],
)
def test_a_server_shows_telnet_by_the_end_of_a_prompt(end, text):
    assert pieces("auto", text + end + b"x", signs=SIGNS_OF_SERVER) == (text, [end, b"x"])
    assert pieces("auto", text + end + b"x") == (text + end + b"x", [])


@pytest.mark.parametrize(
    "stream",
    [
        GA + EOR,  # nothing stands before them
        b"> " + NOP + GA,
        b"\0> " + GA,  # not only text
        b"\x7f" + b"x" * (PROMPT_WINDOW - 1) + EOR,
        b"> \x01" + EOR,
        IAC + WONT + b"\x99",  # an option that nobody uses
        "\ufeff text".encode("utf-16-le"),  # FF FE, then a blank, which is TSPEED
        "\ufeff\r\n".encode("utf-16-le"),
        "\ufeff\ufeff!".encode("utf-16-le"),
    ],
)
def test_what_a_server_sends_that_is_no_sign_settles_nothing(stream):
    assert pieces("auto", stream, signs=SIGNS_OF_SERVER) == (stream, [])
    greeting = IAC + WILL + ECHO
    assert pieces("auto", stream + greeting, signs=SIGNS_OF_SERVER) == (stream, [greeting])


def test_a_server_that_is_not_telnet_stays_plain():
    stream = b"\x7fELF\xff\x01" + b"login: " + GA + IAC + WONT + ECHO
    assert pieces("auto", stream, signs=SIGNS_OF_SERVER) == (stream, [])


def test_random_bytes_are_hardly_ever_taken_for_a_server_s_prompt_or_refusal():
    def is_telnet(data, signs):
        scanner = Scanner("auto", signs)
        scanner.feed(data)
        while scanner.mode == "auto" and scanner.take_plain():
            pass
        return scanner.mode == "always"

    random = Random(1)
    streams = [random.randbytes(4096) for _ in range(4000)]
    more = [
        data
        for data in streams
        if is_telnet(data, SIGNS_OF_SERVER) and not is_telnet(data, SIGNS_OF_CLIENT)
    ]
    assert len(more) <= 12


def test_never_is_never():
    stream = IAC + WILL + ECHO + AYT
    assert pieces("never", stream) == (stream, [])


@pytest.mark.parametrize(("mode", "rest"), [("auto", b"\xff"), ("always", b""), ("never", b"")])
def test_a_last_255_is_pending_and_is_data_at_the_end_unless_it_is_telnet(mode, rest):
    scanner = Scanner(mode)
    scanner.feed(b"a\xff")
    if mode == "always":
        assert scanner.cut()
        assert [*take_pieces(scanner)] == [b"a"]
        assert not scanner.cut()
    else:
        assert scanner.take_plain() == (b"a\xff" if mode == "never" else b"a")
        assert scanner.take_plain() == b""
    assert scanner.pending == (b"" if mode == "never" else b"\xff")
    assert scanner.end() == rest
    assert scanner.taken == 2


PARTS = [
    *[b"a", b"\0", b"\n", b"x" * PROMPT_WINDOW, b"\xff\xff", AYT, IAC + WILL + ECHO, NOP, GA, EOR],
    *[IAC + WONT + ECHO, IAC + DONT + NAWS, IAC + WONT, IAC + DONT + b"\x63", b"\xffa"],
]


@given(
    st.lists(st.sampled_from(PARTS)),
    st.sampled_from(["auto", "always", "never"]),
    st.sampled_from([SIGNS_OF_CLIENT, SIGNS_OF_SERVER]),
)
def test_however_a_stream_is_cut_the_pieces_are_the_same(parts, mode, signs):
    stream = b"".join(parts)
    by_byte = pieces(mode, *(bytes([byte]) for byte in stream), signs=signs)
    whole = pieces(mode, stream, signs=signs)
    assert by_byte[0] == whole[0]
    assert b"".join(by_byte[1]) == b"".join(whole[1])
