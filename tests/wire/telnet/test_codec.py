"""The telnet codec: bytes in, events and bytes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.errors import NotTelnetError
from echoproto.wire.layer import DataReceived, Ended, Reply
from echoproto.wire.telnet.codec import (
    LARGE_REPLY,
    MAX_REPLY_EXCESS,
    MAX_SUBNEGOTIATION,
    TelnetCodec,
)
from echoproto.wire.telnet.commands import (
    Command,
    CommandReceived,
    OptionChanged,
    SubnegotiationReceived,
    TelnetStarted,
)
from echoproto.wire.telnet.negotiation import MAX_TURNS, Policy, Side
from echoproto.wire.telnet.options import (
    EACH_TIME,
    PIPE_POLICY,
    SERVER_POLICY,
    SHELL_POLICY,
    Option,
)
from echoproto.wire.telnet.scanner import SIGNS_OF_CLIENT, SIGNS_OF_SERVER
from telnet_bytes import (
    AYT,
    BINARY,
    CHARSET,
    DO,
    DONT,
    ECHO,
    EOR,
    GA,
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
from telnet_rules import (
    EVERYTHING,
    PIECES,
    POLICIES,
    check_cuts,
    check_encoding,
    check_pair,
    data_of,
    merged,
    policy,
    received,
    reply_of,
    settle,
)


def codec(of=SERVER_POLICY, **kwargs):
    return TelnetCodec(of, **kwargs)


def events_of(*chunks, of=SERVER_POLICY, **kwargs):
    return merged(received(codec(of, **kwargs), *chunks))


# Data

DATA = [
    # received, data
    (b"hello\r\n", b"hello\r\n"),
    (b"hello\r\0", b"hello\r"),
    (b"hello\r", b"hello\r"),
    (b"hello\n", b"hello\n"),
    (b"\r\r\0\n\r\n\0", b"\r\r\n\r\n\0"),
    (b"\0a\r\0\0", b"\0a\r\0"),
    (IAC + IAC, IAC),
    (b"a" + IAC * 6 + b"b", b"a" + IAC * 3 + b"b"),
]


@pytest.mark.parametrize(("wire", "data"), DATA)
def test_data_is_freed_of_what_telnet_puts_into_it(wire, data):
    assert events_of(wire) == [DataReceived(data)]


def test_a_nul_that_comes_late_belongs_to_its_cr():
    assert events_of(b"a\r", b"\0", b"\0b") == [DataReceived(b"a\r\0b")]
    assert events_of(b"a\r", b"\0\r\0") == [DataReceived(b"a\r\r")]
    assert events_of(b"a\r", b"b", b"\0") == [DataReceived(b"a\rb\0")]


def test_a_cr_is_given_at_once():
    one = codec()
    assert data_of(received(one, b"a\r")) == b"a\r"
    assert data_of(received(one, b"\n")) == b"\n"


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"hello\r\n", b"hello\r\n"),
        (b"hello\r", b"hello\r\0"),
        (b"hello\n", b"hello\n"),
        (b"\r\r\n\r\0\n", b"\r\0\r\n\r\0\0\n"),
        (b"a\xffb\xff\xff", b"a\xff\xffb\xff\xff\xff\xff"),
    ],
)
def test_data_is_sent_with_iac_doubled_and_a_bare_cr_as_cr_nul(data, wire):
    one = codec()
    assert one.send(data) + one.finish() == wire


@pytest.mark.parametrize(
    ("datas", "wires"),
    [
        ([b"a\r", b"\nb"], [b"a\r", b"\nb", b""]),
        ([b"a\r", b"b"], [b"a\r", b"\0b", b""]),
        ([b"a\r", b"", b"\n\r", b"\r\n"], [b"a\r", b"", b"\n\r", b"\0\r\n", b""]),
        ([b"\r", b"\0", b"\r"], [b"\r", b"\0\0", b"\r", b"\0"]),
        ([b"\r", b"\xff\r"], [b"\r", b"\0\xff\xff\r", b"\0"]),
    ],
)
def test_a_cr_at_the_end_of_data_goes_out_at_once_and_its_nul_before_the_next(datas, wires):
    one = codec()
    assert [*map(one.send, datas), one.finish()] == wires


def test_the_nul_of_a_cr_is_not_sent_once_binary_is_in_effect():
    one, other = codec(), codec()
    for each in (one, other):
        assert each.send(b"a\r") == b"a\r"
        received(each, IAC + DO + BINARY)
    assert one.send(b"b") == b"b"
    assert other.finish() == b""


def test_a_peer_that_takes_each_key_by_itself_gets_a_whole_enter_at_once():
    one = codec(SHELL_POLICY)
    received(one, IAC + WILL + ECHO + IAC + WILL + SGA)
    assert [one.send(b"ls\r"), one.send(b"\n"), one.finish()] == [b"ls\r\0", b"\n", b""]


def test_with_binary_only_iac_is_escaped():
    one = codec()
    events = received(one, IAC + WILL + BINARY + IAC + DO + BINARY + b"\r\0\r\n\xff\xff\r")
    assert data_of(events) == b"\r\0\r\n\xff\r"
    assert one.send(b"\r\0\r\n\xff\r") == b"\r\0\r\n\xff\xff\r"
    assert data_of(received(one, b"\0" + IAC + WONT + BINARY + b"\0\r\0")) == b"\0\0\r"
    assert one.send(b"\r") == b"\r"  # that is the other direction
    received(one, IAC + DONT + BINARY)
    assert one.send(b"\rx") == b"\r\0x"


def test_a_cr_before_binary_takes_no_nul_after_it():
    stream = b"\r" + IAC + WILL + BINARY + b"x" + IAC + WONT + BINARY + b"\0"
    assert data_of(events_of(stream)) == b"\rx\0"


def test_enter_is_cr_nul_only_to_a_peer_that_takes_each_key_by_itself():
    one = codec(SHELL_POLICY)
    assert one.line_end == b"\r\n"
    received(one, IAC + WILL + ECHO)
    assert one.line_end == b"\r\n"
    received(one, IAC + WILL + SGA)
    assert one.send(one.line_end) == b"\r\0"
    received(one, IAC + WONT + ECHO)
    assert one.line_end == b"\r\n"


@pytest.mark.parametrize("of", [SHELL_POLICY, PIPE_POLICY])
def test_in_binary_enter_is_cr_to_a_peer_that_offers_to_echo(of):
    one = codec(of)
    received(one, IAC + DO + BINARY)
    assert one.line_end == b"\r\n"
    received(one, IAC + WILL + ECHO)  # which only a person agrees to
    assert one.is_on(Side.REMOTE, Option.ECHO) is (of is SHELL_POLICY)
    assert one.send(one.line_end) == b"\r"
    received(one, IAC + DONT + BINARY)
    assert one.line_end == b"\r\n"
    received(one, IAC + DO + BINARY + IAC + WONT + ECHO)
    assert one.line_end == b"\r\n"


# Commands


@pytest.mark.parametrize(
    "code", [*range(236), *(c for c in Command if c < Command.SB and c != Command.AYT)]
)
def test_a_command_is_an_event_and_no_data(code):
    wire = b"a" + IAC + bytes([code]) + b"b"
    assert events_of(wire) == [DataReceived(b"a"), CommandReceived(code), DataReceived(b"b")]


def test_ayt_is_answered_so_that_a_person_can_read_it():
    assert events_of(AYT, ayt=b"\r\nhere\xff\r\n") == [
        Reply(b"\r\nhere\xff\xff\r\n"),
        CommandReceived(Command.AYT),
    ]


def test_timing_mark_is_answered_each_time_in_its_place():
    mark = IAC + DO + TIMING_MARK
    yes = Reply(IAC + WILL + TIMING_MARK)
    assert events_of(b"a" + mark + b"b" + mark) == [
        *[DataReceived(b"a"), yes],
        *[DataReceived(b"b"), yes],
    ]
    assert not codec().options(Side.LOCAL)


@pytest.mark.parametrize("of", [SHELL_POLICY, PIPE_POLICY, Policy()])
def test_timing_mark_is_refused_each_time_where_the_policy_does_not_list_it(of):
    mark, no = IAC + DO + TIMING_MARK, Reply(IAC + WONT + TIMING_MARK)
    assert events_of(mark + b"a" + mark, of=of) == [no, DataReceived(b"a"), no]


def test_what_is_said_without_being_asked_about_timing_mark_is_no_state():
    one = codec()
    assert reply_of(received(one, IAC + WILL + TIMING_MARK)) == IAC + DONT + TIMING_MARK
    assert not received(one, IAC + WONT + TIMING_MARK + IAC + DONT + TIMING_MARK)


# Negotiation


def test_the_replies_and_events_of_options():
    stream = IAC + WILL + NAWS + IAC + DO + BINARY + IAC + WILL + UNKNOWN + IAC + DO + ECHO
    assert events_of(stream) == [
        Reply(IAC + DO + NAWS),
        OptionChanged(Side.REMOTE, Option.NAWS, on=True),
        Reply(IAC + WILL + BINARY),
        OptionChanged(Side.LOCAL, Option.BINARY, on=True),
        Reply(IAC + DONT + UNKNOWN + IAC + WONT + ECHO),
    ]
    assert events_of(IAC + WILL + NAWS, IAC + WONT + NAWS)[2:] == [
        Reply(IAC + DONT + NAWS),
        OptionChanged(Side.REMOTE, Option.NAWS, on=False),
    ]


def test_an_option_that_we_ask_for_is_agreed_to_whatever_the_policy():
    one = codec(policy())
    assert one.request(Side.LOCAL, Option.ECHO, on=True) == IAC + WILL + ECHO
    assert not one.is_on(Side.LOCAL, Option.ECHO)
    assert received(one, IAC + DO + ECHO) == [OptionChanged(Side.LOCAL, Option.ECHO, on=True)]
    assert one.options(Side.LOCAL) == [Option.ECHO]
    assert one.options(Side.REMOTE) == []


def test_our_side_is_off_when_we_have_said_so_and_the_peers_when_it_has():
    one = codec(EVERYTHING)
    received(one, IAC + DO + BINARY + IAC + WILL + BINARY)
    one.request(Side.LOCAL, Option.BINARY, on=False)
    one.request(Side.REMOTE, Option.BINARY, on=False)
    assert one.send(b"\rx") == b"\r\0x"
    assert data_of(received(one, b"\r\0" + IAC + WONT + BINARY + b"\r\0")) == b"\r\0\r"


# Subnegotiation


def test_a_subnegotiation_is_an_event_with_iac_undoubled():
    assert events_of(SB + b"\x63a\xff\xffb" + SE) == [SubnegotiationReceived(0x63, b"a\xffb")]
    assert events_of(SB + b"\xff\xffa" + SE) == [SubnegotiationReceived(255, b"a")]
    assert codec().subnegotiate(0x63, b"a\xffb") == SB + b"\x63a\xff\xffb" + SE


def test_a_subnegotiation_without_an_option_is_nothing():
    assert events_of(SB + SE + b"a") == [DataReceived(b"a")]


def test_a_subnegotiation_that_is_too_long_is_dropped():
    longest = bytes([99]) + b"x" * (MAX_SUBNEGOTIATION - 1)
    assert events_of(SB + longest + SE) == [SubnegotiationReceived(99, longest[1:])]
    for more in (b"x", b"x" * 100_000):
        assert events_of(SB + longest, more + SE + b"a") == [DataReceived(b"a")]


def test_a_command_inside_a_subnegotiation_ends_it():
    assert events_of(SB + b"\x63abc" + b"\xff\xf1" + b"data") == [
        CommandReceived(Command.NOP),
        DataReceived(b"data"),
    ]
    assert events_of(SB + b"\x63abc" + SB + b"\x63def" + SE) == [SubnegotiationReceived(99, b"def")]
    assert events_of(SB + b"\x63abc" + IAC + DO + ECHO) == [Reply(IAC + WONT + ECHO)]


# Whether it is telnet

GREETINGS = [
    IAC + WILL + NAWS,
    IAC + DO + ECHO,
    *(bytes([Command.IAC, code]) for code in (Command.AYT, Command.IP, Command.AO, Command.BRK)),
]


@pytest.mark.parametrize("greeting", GREETINGS)
def test_it_is_plain_until_the_peer_shows_telnet_and_then_stays_telnet(greeting):
    before = "\ufeffUTF-16\r\0".encode("utf-16") + b"\xff\xff\xff\xfe\x01\r\0"
    one = codec(mode="auto")
    events = received(one, before + greeting + b"\xff\xff\r\0")
    assert merged(events)[:2] == [DataReceived(before), TelnetStarted()]
    assert events[-1] == DataReceived(b"\xff\r")
    assert one.is_telnet


def test_a_255_that_begins_no_command_shows_that_it_is_not_telnet():
    one = codec(mode="auto")
    stream = b"na\xefve \xff is Latin-1 \xff\xfd\x01\xff\xf6"
    assert received(one, stream) == [DataReceived(stream)]
    assert one.is_plain
    assert received(one, GREETINGS[0]) == [DataReceived(GREETINGS[0])]


@pytest.mark.parametrize("end", [GA, EOR])
def test_a_server_that_marks_the_end_of_a_prompt_is_telnet_and_says_where_it_ends(end):
    one = codec(SHELL_POLICY, mode="auto", signs=SIGNS_OF_SERVER)
    assert received(one, b"Welcome!\r\nlogin: " + end + b"x") == [
        DataReceived(b"Welcome!\r\nlogin: "),
        TelnetStarted(),
        CommandReceived(end[1]),
        DataReceived(b"x"),
    ]


def test_a_server_that_begins_with_a_refusal_is_telnet():
    one = codec(SHELL_POLICY, mode="auto", signs=SIGNS_OF_SERVER)
    assert received(one, IAC + WONT, ECHO + b"x") == [TelnetStarted(), DataReceived(b"x")]


def test_a_last_255_is_held_until_it_is_known_what_it_is():
    one = codec(mode="auto")
    assert received(one, b"a\xff") == [DataReceived(b"a")]
    assert one.pending == b"\xff"
    assert received(one, b"b") == [DataReceived(b"\xffb")]
    two = codec(mode="auto")
    received(two, b"a\xff")
    assert list(two.eof()) == [DataReceived(b"\xff"), Ended()]
    assert two.pending == b""


def test_at_the_end_a_command_that_is_not_whole_is_nothing():
    one = codec()
    received(one, b"\xff\xfb")
    assert list(one.eof()) == [Ended()]
    assert one.pending == b""


def test_never_is_never_and_says_so():
    one = codec(mode="never")
    assert received(one, GREETINGS[0]) == [DataReceived(GREETINGS[0])]
    assert one.send(b"\xff\r") == b"\xff\r"
    for speak in (
        lambda: one.command(Command.AYT),
        lambda: one.request(Side.LOCAL, Option.ECHO, on=True),
        lambda: one.subnegotiate(Option.NAWS, b""),
    ):
        with pytest.raises(NotTelnetError, match="not telnet"):
            speak()
    assert one.resize(1, 1) == b""
    assert not one._negotiation._states


def test_to_send_a_command_makes_it_telnet():
    one = codec(mode="auto")
    assert one.send(b"\xff") == b"\xff"
    assert one.command(Command.AYT) == AYT
    assert one.send(b"\xff") == b"\xff\xff"


def test_what_is_decided_at_one_event_holds_for_the_next():
    one = codec(policy())
    events = one.receive(b"a" + IAC + WILL + SGA)
    assert next(events) == DataReceived(b"a")
    one.request(Side.REMOTE, Option.SGA, on=True)  # so that WILL is the answer, and not refused
    one.receive(b"x")  # also more input
    assert list(events) == [OptionChanged(Side.REMOTE, Option.SGA, on=True), DataReceived(b"x")]


# Floods


@pytest.mark.parametrize(
    "request_",
    [
        AYT,
        IAC + DO + UNKNOWN,
        IAC + DO + TIMING_MARK,
        IAC + WILL + TTYPE + IAC + WONT + TTYPE,
        IAC + DO + NAWS + IAC + DONT + NAWS,
        SB + TTYPE + b"\1" + SE,
        IAC + WILL + CHARSET + (SB + CHARSET + b"\1;utf-8" + SE) * 9,
        IAC + DO + CHARSET + (SB + CHARSET + b"\1" + SE) * 9,
        IAC + DO + TTYPE + SB + TTYPE + b"\1" + SE + AYT,
    ],
)
@pytest.mark.parametrize("of", [SERVER_POLICY, SHELL_POLICY])
def test_a_flood_of_requests_does_not_make_it_send_more_than_it_received(request_, of):
    one = codec(of, terminal_type="X" * 40, ayt=b"\r\n[the echo server is here]\r\n")
    flood = request_ * 10_000
    sent = len(reply_of(received(one, *[request_ * 1000] * 10)))
    assert sent <= len(flood) + MAX_REPLY_EXCESS
    if request_ == AYT:
        assert len(flood) // 2 < sent <= len(flood)


def test_replies_to_a_flood_of_negotiation_are_given_piece_by_piece():
    events = codec().receive(IAC * 2 + (IAC + DO + UNKNOWN) * 10_000)
    assert next(events) == DataReceived(IAC)
    replies = [*events]
    assert all(len(reply.data) < LARGE_REPLY + 3 for reply in replies)
    assert reply_of(replies) == (IAC + WONT + UNKNOWN) * 10_000


def test_a_command_that_ends_a_subnegotiation_follows_its_replies():
    one = codec()
    wire = IAC + DO + ECHO + SB + b"\x63x" + AYT[:1] + bytes([Command.NOP]) + IAC + WILL + NAWS
    assert merged(received(one, wire)) == [
        Reply(IAC + WONT + ECHO),
        CommandReceived(Command.NOP),
        Reply(IAC + DO + NAWS),
        OptionChanged(Side.REMOTE, Option.NAWS, on=True),
    ]


def test_nothing_that_comes_makes_it_keep_more_than_its_limits():
    one = codec()
    received(one, SB, b"x" * 1_000_000)
    received(one, *[IAC + WILL + bytes([option]) for option in range(256)])
    assert len(one._negotiation._states) == len(SERVER_POLICY.remote)
    received(one, SB, *[b"x" * 1000] * 1000)
    assert len(one._subnegotiation) <= MAX_SUBNEGOTIATION + 1


def test_an_option_that_is_turned_on_again_and_again_is_refused_until_data_comes():
    one, turn = codec(), IAC + WILL + NAWS + IAC + WONT + NAWS
    agreed, refused = IAC + DO + NAWS + IAC + DONT + NAWS, IAC + DONT + NAWS
    assert reply_of(received(one, turn * (MAX_TURNS + 2))) == agreed * MAX_TURNS + refused * 2
    assert reply_of(received(one, b"x" + turn)) == agreed


def test_what_got_in_between_two_codecs_does_not_go_to_and_fro_for_ever():
    turn = IAC + DO + b"\xff" + IAC + DONT + b"\xff"
    settle([codec(EVERYTHING), codec(EVERYTHING)], [turn, b""])


# Whatever comes

BYTES = st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=3), max_size=40)


@given(
    BYTES,
    st.sampled_from(POLICIES),
    st.sampled_from(["auto", "always", "never"]),
    st.sampled_from([SIGNS_OF_CLIENT, SIGNS_OF_SERVER]),
)
def test_however_a_stream_is_cut_the_events_are_the_same(chunks, of, mode, signs):
    check_cuts(lambda: codec(of, mode=mode, signs=signs), chunks)


@given(BYTES, BYTES, st.sampled_from(POLICIES))
def test_what_one_sends_the_other_receives(before, datas, of):
    one, other = codec(of), codec(of)
    check_encoding(one, other, *datas)
    settle([one, other], [b"", one.request(Side.LOCAL, Option.BINARY, on=True)])
    check_encoding(one, other, *datas)
    received(one, *before)  # whatever state that leaves
    check_encoding(one, codec(of), *datas) if not one.options(Side.LOCAL) else None


OPTIONS = st.sampled_from([*(option for option in Option if option not in EACH_TIME), 99])
A_POLICY = st.builds(policy, st.frozensets(OPTIONS), st.frozensets(OPTIONS))
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(Side), OPTIONS, st.booleans(), st.integers(0, 7)),
    max_size=20,
)


@given(st.tuples(A_POLICY, A_POLICY), STEPS)
def test_two_codecs_settle_and_agree(policies, steps):
    check_pair(policies, steps)


@given(BYTES, BYTES, st.sampled_from(POLICIES), st.sampled_from(POLICIES))
def test_no_two_codecs_go_on_for_ever_whatever_was_put_between_them(one, other, of, and_of):
    settle([codec(of), codec(and_of)], [b"".join(one), b"".join(other)])
