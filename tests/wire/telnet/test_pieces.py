"""A direction of a connection in pieces: the same pieces, however it is cut into chunks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.telnet.pieces import Piece, TelnetPieces

STREAM = b"a\xff\xfb\x01\xff\xff\xff\xff\xff\xf9\xff\xfa\x18\0du\xff\xffmb\xff\xf0z"
WHOLE = [
    Piece(b"a"),
    Piece(b"\xff\xfb\x01", "IAC WILL ECHO"),
    Piece(b"\xff\xff\xff\xff", "IAC IAC (2 times)"),
    Piece(b"\xff\xf9", "IAC GA"),
    Piece(b"\xff\xfa\x18\0du\xff\xffmb\xff\xf0", r'IAC SB TTYPE IS "du\xffmb" IAC SE'),
    Piece(b"z"),
]


def pieces(*chunks, mode="always"):
    """The pieces of each chunk."""
    cutter = TelnetPieces(mode)
    return [list(cutter.cut(chunk)) for chunk in chunks]


def test_commands_stand_between_the_data_in_words():
    assert pieces(STREAM) == [WHOLE]


def test_a_command_that_is_cut_is_begun_in_one_chunk_and_told_in_the_next():
    assert pieces(b"x\xff", b"\xfb", b"\x01y") == [
        [Piece(b"x"), Piece(b"\xff", "IAC …")],
        [Piece(b"\xfb", "… IAC WILL …")],
        [Piece(b"\x01", "… IAC WILL ECHO"), Piece(b"y")],
    ]
    assert pieces(b"\xff", b"\xffx") == [
        [Piece(b"\xff", "IAC …")],
        [Piece(b"\xff", "… IAC IAC"), Piece(b"x")],
    ]


def test_a_subnegotiation_that_is_cut_is_told_at_its_end():
    assert pieces(b"\xff\xfa\x18\0du", b"mb\xff", b"\xf0") == [
        [Piece(b"\xff\xfa", "IAC SB …"), Piece(b"\x18\0du", "…")],
        [Piece(b"mb", "…"), Piece(b"\xff", "IAC …")],
        [Piece(b"\xf0", '… IAC SB TTYPE IS "dumb" IAC SE')],
    ]


def test_of_a_subnegotiation_that_never_ends_little_is_kept():
    cutter = TelnetPieces("always")
    for chunk in (b"\xff\xfa\x27", *[bytes(65536)] * 3):
        assert b"".join(piece.raw for piece in cutter.cut(chunk)) == chunk
    assert len(cutter._content) < 100
    (end,) = cutter.cut(b"\xff\xf0")
    assert end.words.endswith('…" IAC SE')


def test_a_command_ends_a_subnegotiation_that_has_no_end():
    assert pieces(b"\xff\xfa\x18", b"\xff\xf1data", b"\xff\xf0") == [
        [Piece(b"\xff\xfa", "IAC SB …"), Piece(b"\x18", "…")],
        [Piece(b"\xff\xf1", "IAC NOP"), Piece(b"data")],
        [Piece(b"\xff\xf0", "IAC SE")],
    ]


def test_without_telnet_a_255_is_a_byte():
    assert pieces(STREAM, mode="never") == [[Piece(STREAM)]]
    cutter = TelnetPieces("auto")
    assert list(cutter.cut(b"x\xff")) == [Piece(b"x"), Piece(b"\xff")]
    assert list(cutter.cut(b"z\xff\xfb\x01")) == [Piece(b"z\xff\xfb\x01")]
    assert cutter.mode == "never"


def test_it_is_telnet_as_soon_as_the_bytes_show_it():
    cutter = TelnetPieces("auto")
    assert list(cutter.cut(b"x\xff")) == [Piece(b"x"), Piece(b"\xff")]
    assert list(cutter.cut(b"\xfb\x01y")) == [Piece(b"\xfb\x01", "… IAC WILL ECHO"), Piece(b"y")]
    assert cutter.is_telnet


@pytest.mark.parametrize("mode", ["always", "auto", "never"])
@given(data=st.data())
def test_the_pieces_of_a_chunk_are_the_chunk(mode, data):
    byte = st.sampled_from(b"a\0\x01\x18\xf0\xf1\xfa\xfb\xfd\xff\xff")
    chunks = data.draw(st.lists(st.lists(byte, min_size=1).map(bytes)))
    for chunk, cut in zip(chunks, pieces(*chunks, mode=mode), strict=True):
        assert b"".join(piece.raw for piece in cut) == chunk
        assert all(piece.raw for piece in cut)


@given(st.lists(st.integers(0, len(STREAM))))
def test_however_the_stream_is_cut_each_command_is_told_once(cuts):
    ends = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(ends)]
    words = [piece.words for cut in pieces(*chunks) for piece in cut]
    told = [word.removeprefix("… ") for word in words if word and not word.endswith("…")]
    assert [word for word in told if not word.startswith("IAC IAC")] == [
        words for _, words in WHOLE if words and not words.startswith("IAC IAC")
    ]
