"""What has come on a connection: the lines, and what the start of a line is taken for."""

from __future__ import annotations

import pytest

from echoproto.shell.incoming import Incoming


def settled(*parts, is_telnet=False):
    incoming = Incoming(is_telnet=is_telnet)
    for part in parts:
        incoming.feed(part)
    incoming.settle()
    return incoming


@pytest.mark.parametrize(
    ("sent", "is_prompt"),
    [(b"login: ", True), (b"hello", False), (b"one\r\n$ ", True), (b"", False)],
)
def test_the_start_of_a_line_is_settled_as_a_prompt_or_as_a_line_whose_end_is_missing(
    sent, is_prompt
):
    incoming = settled(sent)
    assert incoming.start == incoming.line == sent.rpartition(b"\n")[2]
    assert incoming.is_prompt is is_prompt


def test_before_it_is_settled_a_start_is_the_line_only():
    incoming = Incoming(is_telnet=False)
    assert incoming.feed(b"one\r\nPassword: ") == [b"one"]
    assert (incoming.start, incoming.line) == (b"", b"Password: ")
    assert incoming.asks_for_secret(is_settled=False)
    assert not incoming.asks_for_secret(is_settled=True)


def test_what_the_peer_has_marked_is_a_prompt_and_stays_one():
    incoming = Incoming(is_telnet=True)
    incoming.feed(b"ready")
    incoming.is_marked = True
    incoming.settle()
    incoming.is_marked = False
    incoming.settle()
    assert incoming.is_prompt
    incoming.feed(b"\r\nhello")
    incoming.settle()
    assert not incoming.is_prompt


def test_a_line_that_ends_and_a_line_that_is_taken_leave_no_start():
    incoming = settled(b"login: ")
    assert incoming.feed(b"me\n") == [b"login: me"]
    assert incoming.start == b""
    incoming = settled(b"login: ")
    assert incoming.take() == b"login: "
    assert (incoming.start, incoming.line) == (b"", b"")


def test_when_telnet_begins_the_start_is_kept_and_read_as_by_a_terminal():
    incoming = settled(b"10%")
    incoming.begin_telnet()
    assert incoming.feed(b"\r20%\n") == [b"20%"]


def test_rows_that_the_peer_may_still_change_are_held_back():
    incoming = Incoming(is_telnet=True)
    assert incoming.feed(b"\x1b[?25lone\r\ntwo") == []
    assert incoming.release() == [b"one"]
    assert incoming.line == b"two"
    assert incoming.cursor == 3
    assert list(incoming.below) == []
