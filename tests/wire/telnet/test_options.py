"""The table of options: what follows from it, and each option by itself."""

from __future__ import annotations

import pytest

from echoproto.wire.layer import DataReceived, Reply
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import (
    Command,
    CommandReceived,
    OptionChanged,
    SubnegotiationReceived,
)
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import (
    EACH_TIME,
    PIPE_POLICY,
    SERVER_POLICY,
    SHELL_POLICY,
    Option,
    SideEntry,
    describe,
    parse_subnegotiation,
    side_entry,
)
from echoproto.wire.telnet.subnegotiations import MAX_TERMINAL_TYPE
from telnet_bytes import (
    CHARSET,
    DO,
    DONT,
    END_OF_RECORD,
    EOR,
    IAC,
    NAWS,
    SB,
    SE,
    SGA,
    TIMING_MARK,
    TTYPE,
    UNKNOWN,
    WILL,
    WONT,
)
from telnet_rules import merged, received, reply_of

SIDES_OF_OPTIONS = [(side, option) for option in Option for side in Side]


def test_an_option_is_looked_up_by_its_name_and_by_its_number():
    assert Option["NAWS"] is Option(31) is Option.NAWS
    with pytest.raises(ValueError, match="99"):
        Option(99)


@pytest.mark.parametrize(("side", "option"), SIDES_OF_OPTIONS)
def test_what_somebody_agrees_to_has_words(side, option):
    anybody = [of for of in (SERVER_POLICY, PIPE_POLICY, SHELL_POLICY) if option in of.of(side)]
    words = describe(side, option, TelnetCodec(SHELL_POLICY))
    assert bool(words) is bool(anybody)
    assert "{" not in words


@pytest.mark.parametrize("option", Option)
def test_an_option_has_all_three_of_parse_attribute_and_callback_or_none(option):
    entry = option.entry
    assert bool(entry.parse) is bool(entry.attribute) is bool(entry.callback)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\1", b"\xff" * 4, b"\0\xff", b"x" * 1000])
def test_no_payload_is_too_strange(payload):
    for option in range(256):
        parse_subnegotiation(option, payload)


def test_an_option_that_the_table_does_not_have_is_nothing():
    assert side_entry(Side.LOCAL, UNKNOWN[0]) == SideEntry()
    assert describe(Side.LOCAL, UNKNOWN[0], TelnetCodec(SHELL_POLICY)) == ""
    assert parse_subnegotiation(UNKNOWN[0], b"") is None


# The policies


def test_a_person_agrees_to_all_that_a_pipe_agrees_to():
    assert PIPE_POLICY.local <= SHELL_POLICY.local
    assert PIPE_POLICY.remote <= SHELL_POLICY.remote


# Option by option


@pytest.mark.parametrize("of", [SERVER_POLICY, PIPE_POLICY, SHELL_POLICY])
def test_everybody_agrees_to_binary(of):
    assert Option.BINARY in of.local & of.remote


def test_the_server_lets_the_client_edit_lines_and_a_person_lets_the_server_echo():
    assert not {Option.ECHO, Option.SGA} & (SERVER_POLICY.local | SERVER_POLICY.remote)
    assert {Option.ECHO, Option.SGA} <= SHELL_POLICY.remote
    assert Option.SGA in PIPE_POLICY.local & PIPE_POLICY.remote & SHELL_POLICY.local
    assert Option.ECHO not in PIPE_POLICY.local | PIPE_POLICY.remote | SHELL_POLICY.local


def test_a_server_that_asks_for_no_go_aheads_is_asked_for_the_same_once():
    one = TelnetCodec(SHELL_POLICY)
    asked = IAC + DO + SGA
    assert reply_of(received(one, asked)) == IAC + WILL + SGA + asked
    assert not reply_of(received(one, asked + IAC + WILL + SGA))
    assert one.options(Side.LOCAL) == one.options(Side.REMOTE) == [Option.SGA]
    assert reply_of(received(TelnetCodec(SERVER_POLICY), asked)) == IAC + WONT + SGA


def test_a_server_that_has_offered_to_send_no_go_aheads_is_not_asked_again():
    one = TelnetCodec(SHELL_POLICY)
    offered, asked = IAC + WILL + SGA, IAC + DO + SGA
    assert reply_of(received(one, offered + asked)) == asked + IAC + WILL + SGA


def test_only_the_server_answers_timing_marks_and_they_are_no_state():
    assert [of.local & EACH_TIME for of in (SERVER_POLICY, PIPE_POLICY, SHELL_POLICY)] == [
        {Option.TIMING_MARK},
        set(),
        set(),
    ]
    assert Option.TIMING_MARK in EACH_TIME
    one = TelnetCodec(SERVER_POLICY)
    mark, yes = IAC + DO + TIMING_MARK, IAC + WILL + TIMING_MARK
    assert merged(received(one, mark + mark)) == [Reply(yes + yes)]
    assert not one.options(Side.LOCAL)


def test_the_terminal_type_is_asked_for_and_told():
    server, client = (
        TelnetCodec(SERVER_POLICY),
        TelnetCodec(SHELL_POLICY, terminal_type="XTERM-256COLOR"),
    )
    asked = reply_of(received(server, IAC + WILL + TTYPE))
    assert asked == IAC + DO + TTYPE + SB + TTYPE + b"\1" + SE
    event = received(server, reply_of(received(client, asked)))[-1]
    assert event == SubnegotiationReceived(Option.TTYPE, b"\0XTERM-256COLOR")
    news = parse_subnegotiation(*event)
    assert news == ("XTERM-256COLOR", "terminal_type", "terminalTypeReceived")
    assert news.arguments == ("XTERM-256COLOR",)
    assert describe(Side.LOCAL, Option.TTYPE, client) == "sends its terminal type, XTERM-256COLOR"


def test_the_terminal_type_is_not_told_where_that_was_not_agreed_nor_asked_for():
    assert not reply_of(received(TelnetCodec(SERVER_POLICY), SB + TTYPE + b"\1" + SE))
    one = TelnetCodec(SHELL_POLICY)
    assert reply_of(received(one, IAC + DO + TTYPE)) == IAC + WILL + TTYPE
    for strange in (b"", b"\0", b"\0x", b"\0\1"):
        assert not reply_of(received(one, SB + TTYPE + strange + SE))


@pytest.mark.parametrize("more", [b"", b"\1", b"\0", b"XTERM"])
def test_a_request_for_the_terminal_type_is_answered_whatever_follows_it(more):
    one = TelnetCodec(SHELL_POLICY, terminal_type="XTERM")
    assert reply_of(received(one, IAC + DO + TTYPE + SB + TTYPE + b"\1" + more + SE)) == (
        IAC + WILL + TTYPE + SB + TTYPE + b"\0XTERM" + SE
    )


def test_who_asks_again_gets_the_next_terminal_type_and_at_the_end_the_last_one_twice():
    one = TelnetCodec(SHELL_POLICY, terminal_type="dumb")
    received(one, IAC + DO + TTYPE)
    ask, said = SB + TTYPE + b"\1" + SE, []
    for _ in range(6):
        event = received(TelnetCodec(SERVER_POLICY), reply_of(received(one, ask)))[-1]
        said.append(event.payload)
    assert said == [
        *[b"\0dumb", b"\0DUMB", b"\0MTTS 269", b"\0MTTS 269"],
        *[b"\0dumb", b"\0DUMB"],
    ]


def test_a_terminal_type_in_capitals_comes_once():
    one = TelnetCodec(SHELL_POLICY, terminal_type="XTERM")
    said = reply_of(received(one, IAC + DO + TTYPE + (SB + TTYPE + b"\1" + SE) * 3))
    assert said.count(b"XTERM") == 1
    assert said.count(b"MTTS") == 2


def test_a_terminal_type_has_40_characters_of_ascii_at_most():
    one = TelnetCodec(SHELL_POLICY, terminal_type="é" * 50)
    said = reply_of(received(one, IAC + DO + TTYPE + SB + TTYPE + b"\1" + SE))
    assert said == IAC + WILL + TTYPE + SB + TTYPE + b"\0" + b"?" * MAX_TERMINAL_TYPE + SE


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"\0xterm", "xterm"),
        (b"\0" + b"x" * 40, "x" * 40),
        (b"\0xterm\0\0", "xterm"),
        (b"\0\0", None),
        (b"\0" + b"x" * 41, None),
        (b"\0", None),
        (b"\1", None),
        (b"", None),
        (b"\0x\x1b[2J", None),
        (b"\0a b", None),
        (b"\0x\x7f", None),
        (b"\0x\xe9", None),
    ],
)
def test_reading_a_terminal_type(payload, name):
    news = parse_subnegotiation(Option.TTYPE, payload)
    assert (news and news.value) == name


def test_character_sets_are_answered_once_whoever_offered_the_option():
    for verbs in (WILL, DO, WILL + DO):
        one = TelnetCodec(SHELL_POLICY)
        for verb in verbs:
            received(one, IAC + bytes([verb]) + CHARSET)
        said = reply_of(received(one, SB + CHARSET + b"\1;UTF-8" + SE))
        assert said == SB + CHARSET + b"\2UTF-8" + SE


def test_character_sets_are_answered_only_where_that_was_agreed_and_asked_for():
    request = SB + CHARSET + b"\1;UTF-8" + SE
    assert not reply_of(received(TelnetCodec(SHELL_POLICY), request))
    for of in (SERVER_POLICY, PIPE_POLICY):
        assert reply_of(received(TelnetCodec(of), IAC + WILL + CHARSET + request)) == (
            IAC + DONT + CHARSET
        )
    one = TelnetCodec(SHELL_POLICY)
    received(one, IAC + WILL + CHARSET)
    for answer in (b"\2UTF-8", b"\3", b"\4\1;UTF-8", b""):
        assert not reply_of(received(one, SB + CHARSET + answer + SE))


def test_a_person_lets_the_server_mark_the_ends_of_prompts():
    one = TelnetCodec(SHELL_POLICY)
    assert merged(received(one, IAC + WILL + END_OF_RECORD + b"> " + EOR)) == [
        Reply(IAC + DO + END_OF_RECORD),
        OptionChanged(Side.REMOTE, Option.END_OF_RECORD, on=True),
        DataReceived(b"> "),
        CommandReceived(Command.EOR),
    ]


def test_the_window_size_is_told_and_told_again():
    one = TelnetCodec(SHELL_POLICY, window_size=(80, 24))
    assert one.resize(90, 30) == b""
    said = reply_of(received(one, IAC + DO + NAWS))
    assert said == IAC + WILL + NAWS + SB + NAWS + b"\0\x5a\0\x1e" + SE
    assert one.resize(90, 30) == b""
    assert one.resize(255, 24) == SB + NAWS + b"\0\xff\xff\0\x18" + SE
    assert one.resize(-1, 1 << 20) == SB + NAWS + b"\0\0" + b"\xff" * 4 + SE
    assert reply_of(received(one, IAC + DONT + NAWS)) == IAC + WONT + NAWS
    assert one.resize(80, 24) == b""


def test_the_window_size_in_words_is_the_present_one():
    one = TelnetCodec(SHELL_POLICY, window_size=(80, 24))
    assert describe(Side.LOCAL, Option.NAWS, one) == "sends its window size, 80x24"
    one.resize(100, 50)
    assert describe(Side.LOCAL, Option.NAWS, one) == "sends its window size, 100x50"


def test_a_window_size_that_is_received_reaches_its_callback():
    stream = IAC + WILL + NAWS + SB + NAWS + b"\0\x50\0\x18" + SE + IAC + WONT + NAWS
    _, on, size, _, off = received(TelnetCodec(SERVER_POLICY), stream)
    assert (on, off) == tuple(
        OptionChanged(Side.REMOTE, Option.NAWS, on=on) for on in (True, False)
    )
    news = parse_subnegotiation(*size)
    assert news == ((80, 24), "window_size", "windowSizeChanged")
    assert news.arguments == (80, 24)


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (b"\0\x50\0\x18", (80, 24)),
        (b"\xff\xff\0\0", (65535, 0)),
        (b"\0\x50\0\x18\0", (80, 24)),
        (b"\0\x50\0", None),
        (b"", None),
    ],
)
def test_reading_a_window_size(payload, size):
    news = parse_subnegotiation(Option.NAWS, payload)
    assert (news and news.value) == size
