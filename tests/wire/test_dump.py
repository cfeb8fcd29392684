from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.dump import escape, fragments


def test_text_is_shown_as_it_is():
    for text in ("hello", "grüße, 世界", "não", "a\u00a0b", "👩\u200d🔬", r"C:\x41"):
        assert list(fragments(text.encode())) == [(text, False)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", "a       b"),
        ("\t\tb", " " * 16 + "b"),
        ("12345678\tb", "12345678        b"),
        ("日本\tb", "日本    b"),  # a wide character takes two columns
        ("e\u0301\tb", "e\u0301       b"),  # an accent takes none
        ("a\tb\t世\tc", "a       b       世      c"),
        ("a\x07\tb", r"a\x07   b"),  # an escaped byte takes four
        ("\x07\t\x07\tb", r"\x07    \x07    b"),
    ],
)
def test_a_tab_goes_to_the_next_tab_stop(text, shown):
    assert escape(text.encode()) == shown


def test_what_could_act_on_a_terminal_is_escaped():
    assert escape(b"\x1b[2J\x07") == r"\x1b[2J\x07"
    assert escape(b"\x7f\r\n\0") == r"\x7f\x0d\x0a\x00"
    assert escape("\u009b2J".encode()) == r"\xc2\x9b2J"  # CSI as one character, C1
    assert escape("\u202egnp.exe".encode()) == r"\xe2\x80\xaegnp.exe"  # right-to-left override
    assert escape("a\u2028b".encode()) == r"a\xe2\x80\xa8b"


def test_bytes_that_are_no_text_are_escaped_and_told_apart():
    assert list(fragments(b"a\xff\xfeb")) == [("a", False), (r"\xff\xfe", True), ("b", False)]
    assert list(fragments(rb"\xff")) == [(r"\xff", False)]


@given(st.binary())
def test_nothing_that_is_shown_is_a_control_character_and_nothing_is_dropped(data):
    shown = list(fragments(data))
    text = "".join(piece for piece, _ in shown)
    allowed = ("\u200c", "\u200d")
    assert not [c for c in text if unicodedata.category(c)[0] == "C" and c not in allowed]
    back = b"".join(
        bytes.fromhex(re.sub(r"\\x", "", piece)) if is_escape else piece.encode()
        for piece, is_escape in shown
    )
    assert back.replace(b" ", b"") == data.replace(b"\t", b"").replace(b" ", b"")
