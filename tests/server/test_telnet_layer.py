"""Telnet as a protocol sees it: bytes in, calls and bytes out."""

from __future__ import annotations

import pytest
from twisted.internet.testing import StringTransport

from echoproto.errors import NotTelnetError
from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.negotiation import Policy, Side
from echoproto.wire.telnet.options import Option
from telnet_bytes import (
    ABORT,
    AYT,
    BINARY,
    BRK,
    DO,
    DONT,
    EC,
    ECHO,
    EL,
    EOF,
    HELLO,
    IAC,
    IP,
    NAWS,
    NO_THANKS,
    NOP,
    PUTTY,
    SB,
    SE,
    SGA,
    TIMING_MARK,
    TO_PUTTY,
    TTYPE,
    WILL,
    WONT,
)
from telnet_clients import Recorder, connected


def test_line_received_sees_lines_freed_of_telnet():
    protocol, wire = connected(
        None, b"pl\xff\xffain\r\n" + HELLO + b"o" + NOP + b"n" + IAC + DONT + SGA + b"e\r\0t\xff"
    )
    protocol.transport.dataReceived(b"\xffwo\r\nthree\rfour\n")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [
        b"pl\xff\xffain",
        b"one",
        b"t\xffwo",
        b"three",
        b"four",
    ]
    assert wire.value() == NO_THANKS
    assert protocol.lines_received == 5


def test_what_is_sent_is_escaped_once_the_client_has_shown_telnet_and_not_before():
    def send(protocol):
        protocol.sendLine(b"\xff")
        protocol.transport.write(b"a\rb\xff")
        protocol.transport.writeSequence([b"\r", b"\n\xff", b"\r"])

    protocol, wire = connected()
    send(protocol)
    assert wire.value() == b"\xff\r\na\rb\xff\r\n\xff\r"
    wire.clear()
    protocol.transport.dataReceived(HELLO)
    send(protocol)
    assert wire.value() == NO_THANKS + b"\xff\xff\r\na\r\0b\xff\xff\r\n\xff\xff\r"


def test_a_client_that_has_shown_that_it_is_not_telnet_stays_plain():
    protocol, wire = connected(None, b"\xffa\n", HELLO + AYT + b"\n")
    protocol.sendLine(b"\xff")
    assert protocol.calls == [b"\xffa", HELLO + AYT]
    assert wire.value() == b"\xff\r\n"


def test_with_telnet_always_what_is_sent_first_is_escaped():
    class Greeting(Recorder):
        telnet = "always"

        def connectionMade(self):
            self.sendLine(b"hello \xff")

    protocol, wire = connected(Greeting())
    assert wire.value() == b"hello \xff\xff\r\n"
    protocol.requestTelnetOption(Side.REMOTE, Option.NAWS, on=True)
    protocol.transport.dataReceived(IAC * 2 + b"\r\n")
    assert wire.value() == b"hello \xff\xff\r\n" + IAC + DO + NAWS
    assert protocol.calls == [b"\xff"]


def test_with_telnet_always_options_can_be_asked_for_as_soon_as_telnet_begins():
    class Asking(Recorder):
        telnet = "always"

        def connectionMade(self):
            self.calls.append("made")

        def telnetStarted(self):
            self.calls.append(("begins", self.is_telnet))
            self.requestTelnetOption(Side.REMOTE, Option.NAWS, on=True)

    protocol, wire = connected(Asking())
    assert protocol.calls == ["made", ("begins", True)]
    assert wire.value() == IAC + DO + NAWS


@pytest.mark.parametrize("entry", [option.entry for option in Option if option.entry.callback])
def test_what_an_option_tells_has_its_place_in_line_protocol(entry):
    assert hasattr(LineProtocol, entry.attribute)
    assert callable(getattr(LineProtocol, entry.callback))


def test_the_window_s_size_and_the_terminal_s_type_are_told_and_kept():
    protocol, wire = connected()
    assert (protocol.window_size, protocol.terminal_type) == (None, None)
    protocol.transport.dataReceived(PUTTY)
    protocol.transport.dataReceived(SB + NAWS + b"\0\x50\0\x18" + SE)
    protocol.transport.dataReceived(SB + TTYPE + b"\0XTERM-256COLOR" + SE)
    protocol.transport.dataReceived(SB + NAWS + b"\1\xff\xff\0\0" + SE)
    assert protocol.calls == [
        (Side.REMOTE, Option.NAWS, True),
        (Side.REMOTE, Option.TTYPE, True),
        ("window", 80, 24),
        ("terminal", "XTERM-256COLOR"),
        ("window", 511, 0),
    ]
    assert protocol.window_size == (511, 0)
    assert protocol.terminal_type == "XTERM-256COLOR"
    assert wire.value() == TO_PUTTY


def test_bytes_after_a_window_s_size_and_nuls_after_a_terminal_s_type_mean_nothing():
    protocol, _ = connected(
        None,
        HELLO + SB + NAWS + b"\0\x50\0\x18\0\1" + SE + SB + TTYPE + b"\0XTERM\0\0" + SE + b"a\n",
    )
    assert protocol.calls == [("window", 80, 24), ("terminal", "XTERM"), b"a"]


# In telnet a NUL is data, unless it is that of CR NUL.
NULS = [
    (b"a\r\0\0b\r\n", [b"a", b"\0b"]),
    (b"a\r\0\0\0\r\0\r\0\0c\n", [b"a", b"\0\0", b"", b"\0c"]),
    (b"a\r\0\n\0b\r\0", [b"a", b"\0b"]),
    (IAC + WILL + BINARY + b"a\r\0b\r\n\0c\r", [b"a", b"\0b", b"\0c"]),
]


@pytest.mark.parametrize(("stream", "lines"), NULS)
def test_a_nul_after_cr_nul_is_data_of_the_next_line(stream, lines):
    for at in range(len(stream)):
        for chunks in ((HELLO + stream[:at], stream[at:]), (HELLO, stream[:at], stream[at:])):
            protocol, _ = connected(None, *chunks)
            assert [call for call in protocol.calls if isinstance(call, bytes)] == lines
            echo, wire = connected(EchoProtocol("line"), *chunks)
            if BINARY not in stream[:3]:
                assert wire.value() == NO_THANKS + b"".join(line + b"\r\n" for line in lines)
            assert echo.lines_received is not None


def test_a_cr_before_telnet_takes_no_nul_of_telnet():
    protocol, _ = connected(None, b"a\r\0b\r", HELLO + b"\0c\r\0")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"a", b"b", b"\0c"]
    protocol, _ = connected(None, b"a\r", b"\0b\r\0")  # but a plain one does
    assert protocol.calls == [b"a", b"b"]


@pytest.mark.parametrize(
    "content",
    [
        NAWS,
        NAWS + b"\0\x50\0",
        TTYPE,
        TTYPE + b"\0",
        TTYPE + b"\1",
        TTYPE + b"\1XTERM",
        TTYPE + b"\0XT ERM",
        TTYPE + b"\0\x1b[2J",
        TTYPE + b"\0XT\xff\xff",
        TTYPE + b"\0" + b"x" * 41,
        b"\x27\0USER",
    ],
)
def test_a_window_or_a_terminal_that_is_not_well_formed_is_ignored(content):
    protocol, wire = connected(None, HELLO + SB + content + SE + b"line\r\n")
    assert protocol.calls == [b"line"]
    assert (protocol.window_size, protocol.terminal_type) == (None, None)
    assert wire.value() == NO_THANKS


def test_commands_are_told_where_they_stand_among_the_lines():
    protocol, wire = connected(None, HELLO + b"a\n" + NOP + b"b\n" + AYT + IAC + b"\x07c\n")
    assert protocol.calls == [
        b"a",
        ("command", Command.NOP),
        b"b",
        ("command", Command.AYT),
        ("command", 7),
        b"c",
    ]
    assert wire.value() == NO_THANKS + b"\r\n[yes, I am here]\r\n"


@pytest.mark.parametrize("command", [EL, IP, BRK, ABORT])
def test_a_command_takes_back_the_line_that_has_no_end_yet(command):
    protocol, _ = connected(None, HELLO + b"one\r\ngone", command + b"two\r\n")
    assert protocol.calls == [b"one", ("command", command[1]), b"two"]


def test_ec_takes_back_one_character_of_the_line_that_has_no_end_yet():
    protocol, _ = connected(None, HELLO + b"one\r\n" + EC + "tö".encode() + EC, b"wox", EC + b"\n")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"one", b"two"]


def test_ec_takes_back_one_character_also_with_a_delimiter_of_one_s_own():
    class CrLf(Recorder):
        delimiter = b"\r\n"

    protocol, wire = connected(
        CrLf(), HELLO + b"a\nb\r", b"\n", b"c\r" + EC + b"d" + EL + b"e\nf\r\n"
    )
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"a\nb", b"e\nf"]
    protocol.sendLine(b"\xff\r")
    assert wire.value() == NO_THANKS + b"\xff\xff\r\0\r\n"


def test_with_an_exact_delimiter_telnet_s_cr_nul_is_a_bare_cr():
    class CrLf(Recorder):
        delimiter = b"\r\n"

    protocol, _ = connected(CrLf(), HELLO + b"a\r\0b\nc\r\n")
    assert protocol.calls == [b"a\rb\nc"]


def test_an_option_can_be_asked_for_and_the_answer_is_told():
    protocol, wire = connected(None, HELLO)
    wire.clear()
    protocol.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
    protocol.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
    assert wire.value() == IAC + WILL + ECHO
    assert protocol.calls == []
    protocol.transport.dataReceived(IAC + DO + ECHO)
    assert protocol.calls == [(Side.LOCAL, Option.ECHO, True)]
    protocol.requestTelnetOption(Side.REMOTE, Option.SGA, on=True)
    protocol.transport.dataReceived(IAC + WONT + SGA)
    protocol.transport.dataReceived(IAC + DONT + ECHO)
    assert protocol.calls == [(Side.LOCAL, Option.ECHO, True), (Side.LOCAL, Option.ECHO, False)]
    assert wire.value() == IAC + WILL + ECHO + IAC + DO + SGA + IAC + WONT + ECHO


@pytest.mark.parametrize("chunks", [[], [b"hello\n"], [b"\xff"], [b"\xffa\n"], [b"\xff\xff"]])
def test_an_option_is_not_asked_for_on_a_connection_that_is_plain(chunks):
    protocol, wire = connected(None, *chunks)
    with pytest.raises(NotTelnetError, match="has not shown that it is telnet"):
        protocol.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
    assert wire.value() == b""


def test_a_policy_of_one_s_own_is_what_is_agreed_to():
    class Echoing(Recorder):
        telnet_policy = Policy(local=frozenset([Option.ECHO]))

    protocol, wire = connected(Echoing(), IAC + DO + ECHO + IAC + WILL + NAWS)
    assert protocol.calls == [(Side.LOCAL, Option.ECHO, True)]
    assert wire.value() == IAC + WILL + ECHO + IAC + DONT + NAWS


def test_what_comes_after_the_connection_is_closed_is_nothing():
    protocol, wire = connected(
        None, HELLO + b"close\n" + SB + NAWS + b"\0\x50\0\x18" + SE + AYT + b"line\n"
    )
    assert protocol.calls == [b"close"]
    assert wire.value() == NO_THANKS


def test_in_binary_a_control_byte_after_el_is_data():
    protocol, _ = connected(None, IAC + WILL + BINARY + EL + b"\x03line\n")
    assert protocol.calls[-1] == b"\x03line"


def test_what_is_written_and_then_closed_is_written_in_order():
    class Bye(Recorder):
        def lineReceived(self, _):
            self.sendLine(b"bye\xff")
            self.transport.loseConnection()

    _, wire = connected(Bye(), HELLO, IAC + DO + TIMING_MARK + b"quit\n" + IAC + DO + TIMING_MARK)
    assert wire.value() == NO_THANKS + IAC + WILL + TIMING_MARK + b"bye\xff\xff\r\n"
    assert wire.disconnecting


def test_a_chunk_of_many_commands_is_answered_in_one_write():
    class Counting(StringTransport):
        writes = 0

        def write(self, data):
            self.writes += 1
            super().write(data)

    wire = Counting()
    protocol = EchoProtocol()
    ServerConnection(protocol).makeConnection(wire)
    protocol.transport.dataReceived(HELLO)
    before = wire.writes
    protocol.transport.dataReceived((b"x" + NOP + IAC + DO + TIMING_MARK) * 1000)
    assert wire.writes == before + 1
    assert wire.value() == NO_THANKS + (b"x" + IAC + WILL + TIMING_MARK) * 1000


@pytest.mark.parametrize("greeting", [b"", HELLO])
def test_no_line_comes_after_closing_in_the_middle_of_a_chunk(greeting):
    protocol, wire = connected(None, greeting + b"close\ntwo\n" + HELLO + b"three\n" + EOF)
    protocol.transport.dataReceived(b"four\n" + NOP + b"five\n")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"close"]
    assert wire.disconnecting


def test_an_exception_in_line_received_leaves_telnet_in_order():
    protocol, wire = connected(None, HELLO)
    with pytest.raises(RuntimeError):
        protocol.transport.dataReceived(b"fail\n" + IAC + DO + SGA + b"next\n")
    protocol.transport.dataReceived(b"\xff")
    protocol.transport.dataReceived(b"\xfflast\n")
    assert protocol.calls == [b"fail", b"next", b"\xfflast"]
    assert wire.value() == NO_THANKS + IAC + WONT + SGA
