"""Telnet in words."""

from __future__ import annotations

import pytest

from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.options import Option
from echoproto.wire.telnet.words import (
    _OTHER_NAMES,
    MAX_PAYLOAD,
    command_words,
    option_name,
    subnegotiation_words,
)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (b"\xff\xfb\x01", "IAC WILL ECHO"),
        (b"\xff\xfc\x06", "IAC WONT TIMING-MARK"),
        (b"\xff\xfd\x22", "IAC DO LINEMODE"),
        (b"\xff\xfe\xc8", "IAC DONT 200 (unknown)"),
        (b"\xff\xf6", "IAC AYT"),
        (b"\xff\x05", "IAC 5 (unknown)"),
        (b"\xff", "IAC …"),
        (b"\xff\xfb", "IAC WILL …"),
    ],
)
def test_a_command_has_the_names_of_the_rfcs(command, words):
    assert command_words(command) == words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x18\0dumb", 'IAC SB TTYPE IS "dumb" IAC SE'),
        (b"\x18\1", "IAC SB TTYPE SEND IAC SE"),
        (b"\x18\7x", r'IAC SB TTYPE "\x07x" IAC SE'),
        (b"\x2a\1;UTF-8;US-ASCII", 'IAC SB CHARSET REQUEST ";UTF-8;US-ASCII" IAC SE'),
        (b"\x2a\2UTF-8", 'IAC SB CHARSET ACCEPTED "UTF-8" IAC SE'),
        (b"\x2a\3", "IAC SB CHARSET REJECTED IAC SE"),
        (b"\x1f\0\x50\0\x18", "IAC SB NAWS 80x24 IAC SE"),
        (b"\x1f\0", r'IAC SB NAWS "\x00" IAC SE'),
        (b"\xc8\x1b[2J", r'IAC SB 200 (unknown) "\x1b[2J" IAC SE'),
        (b"\x18", "IAC SB TTYPE IAC SE"),
        (b"", "IAC SB IAC SE"),
    ],
)
def test_a_subnegotiation_says_what_it_carries(content, words):
    assert subnegotiation_words(content) == words


def test_a_long_subnegotiation_ends_in_an_ellipsis():
    words = subnegotiation_words(b"\x27" + b"x" * (MAX_PAYLOAD + 1))
    assert words == f'IAC SB NEW-ENVIRON "{"x" * MAX_PAYLOAD}…" IAC SE'
    assert "…" not in subnegotiation_words(b"\x27" + b"x" * MAX_PAYLOAD)


def test_everything_in_the_tables_has_its_name():
    assert [option_name(option).replace("-", "_") for option in Option] == [o.name for o in Option]
    codes = [bytes([255, code]) for code in Command if code < Command.WILL]
    assert [command_words(code).split()[1] for code in codes] == [
        Command(code[1]).name for code in codes
    ]


def test_an_option_has_its_name_in_one_place():
    assert not _OTHER_NAMES.keys() & set(Option)
