"""What stands in subnegotiations: what is answered, and bytes that are not well formed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import SHELL_POLICY
from echoproto.wire.telnet.subnegotiations import (
    SEND,
    answer_charset,
    answer_terminal_type,
    format_window_size,
    parse_terminal_type,
    parse_window_size,
)


def this_end(**facts):
    return TelnetCodec(SHELL_POLICY, **facts)


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (b";UTF-8", b"\2UTF-8"),
        (b";utf-8", b"\2utf-8"),
        (b" ISO-8859-1 UTF-8 US-ASCII", b"\2UTF-8"),
        (b",us-ascii,utf-8", b"\2utf-8"),
        (b";KOI8-R;US-ASCII", b"\2US-ASCII"),
        (b"[TTABLE ]\1;UTF-8", b"\2UTF-8"),
        (b"[TTABLE]\1;UTF-8", b"\2UTF-8"),
        (b"[UTF-8", b"\2UTF-8"),
        (b";KOI8-R;ISO-8859-1", b"\3"),
        (b";UTF-80;XUTF-8", b"\3"),
        (b"UTF-8", b"\3"),  # U is the separator
        (b";", b"\3"),
        (b"", b"\3"),
        (b"[TTABLE ]", b"\3"),
        (b"[TTABLE ]\1", b"\3"),
    ],
)
def test_of_the_character_sets_that_are_offered_utf_8_is_accepted(offered, answer):
    assert answer_charset(this_end(), b"\1" + offered) == answer


@given(st.binary())
def test_no_payload_is_too_strange(payload):
    own = this_end()
    for answer in (answer_charset, answer_terminal_type):
        assert len(answer(own, payload) or b"") <= max(len(payload), 41)
    parse_terminal_type(payload)
    parse_window_size(payload)


def test_the_terminal_type_that_is_told_is_read_as_it_is():
    own = this_end(terminal_type="vt100")
    told = [parse_terminal_type(answer_terminal_type(own, SEND)) for _ in range(2)]
    assert told == ["vt100", "VT100"]


def test_a_terminal_type_that_changes_meanwhile_does_not_matter():
    own = this_end(terminal_type="vt100")
    for name in ("vt100", "VT100", "vt100", "VT100", "MTTS 269"):
        own.terminal_type = name
        assert answer_terminal_type(own, SEND)


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_a_window_size_is_read_as_it_was_told(columns, rows):
    assert parse_window_size(format_window_size(this_end(window_size=(columns, rows)))) == (
        columns,
        rows,
    )
