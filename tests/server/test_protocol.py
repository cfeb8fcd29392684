"""`LineProtocol`: bytes in, calls and bytes out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import LineReceiver

from echoproto.server.protocol import LineProtocol
from echoproto.wire.framing import ANY_LINE_END
from line_protocols import CrLfProtocol, Recorder, connected, joined


def test_it_is_a_line_receiver_that_can_be_half_closed():
    assert isinstance(connected(), LineReceiver)
    assert IHalfCloseableProtocol.providedBy(connected())


def test_any_line_end_ends_a_line_and_send_line_sends_cr_lf():
    protocol = connected()
    protocol.dataReceived(b"a\nb\r\nc\r\0d\r")
    assert protocol.calls == [b"a", b"b", b"c", b"d"]
    protocol.sendLine(b"reply")
    assert protocol.transport.transport.value() == b"reply\r\n"


@pytest.mark.parametrize("delimiter", [b"\n", b"\r\n", b";;"])
def test_a_delimiter_that_is_set_is_the_only_one_and_the_one_that_is_sent(delimiter):
    protocol = connected(type("Exact", (Recorder,), {"delimiter": delimiter})())
    protocol.dataReceived(b"a\r\0b\rc" + delimiter)
    assert protocol.calls == [b"a\r\0b\rc"]
    protocol.sendLine(b"reply")
    assert protocol.transport.transport.value() == b"reply" + delimiter


COMMANDS = st.sampled_from(
    [b"", b"hello", b"raw 3", b"raw 1", b"delimiter ;", b"limit 6", b"limit 99", b"much too long"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r\0", b"\r", b";"])


@given(st.lists(st.tuples(COMMANDS, ENDS)), st.lists(st.integers(0, 200), max_size=6))
def test_however_a_stream_is_cut_the_calls_are_the_same(lines, cuts):
    stream = b"".join(line + end for line, end in lines) + b"\n"
    whole = connected()
    whole.dataReceived(stream)

    cuts = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    in_pieces = connected()
    for start, stop in pairwise(cuts):
        in_pieces.dataReceived(stream[start:stop])
    assert joined(in_pieces.calls) == joined(whole.calls)
    assert in_pieces.lines_received == whole.lines_received


def test_raw_mode_from_inside_line_received_gets_the_rest_exactly():
    protocol = connected()
    protocol.dataReceived(b"raw 5\r\n\r\n\0\nxnext\r\n")
    assert protocol.calls == [b"raw 5", (b"raw", b"\r\n\0\nx"), b"next"]


def test_raw_mode_does_not_get_the_lf_of_the_line_before_it():
    protocol = connected()
    protocol.dataReceived(b"raw 2\r")
    protocol.dataReceived(b"\nab")
    assert protocol.calls == [b"raw 2", (b"raw", b"ab")]


@pytest.mark.parametrize(
    ("name", "value", "then"),
    [
        ("paused", True, []),
        ("line_mode", 0, [(b"raw", b"a;b\nlong\n")]),
        ("delimiter", b";", [b"a"]),
        ("MAX_LENGTH", 3, [b"a;b", (b"long", b"long")]),
    ],
)
def test_an_attribute_that_is_set_inside_line_received_holds_from_the_next_line_on(
    name, value, then
):
    class Setting(Recorder):
        left = 100

        def lineReceived(self, line):
            super().lineReceived(line)
            if line == b"set":
                setattr(self, name, value)

    protocol = connected(Setting())
    protocol.dataReceived(b"one\nset\na;b\nlong\n")
    assert protocol.calls == [b"one", b"set", *then]
    assert getattr(protocol, name) == value
    assert getattr(Setting, name) == getattr(LineProtocol, name)


def test_the_lines_are_counted_while_they_are_delivered():
    class Counting(Recorder):
        MAX_LENGTH = 3

        def lineReceived(self, line):
            self.calls.append((line, self.lines_received))

    protocol = connected(Counting())
    protocol.dataReceived(b"a\nb\nlong\nc\n")
    protocol.dataReceived(b"d\n")
    assert protocol.calls == [(b"a", 1), (b"b", 2), (b"long", b"long"), (b"c", 4), (b"d", 5)]


def test_clearing_the_buffer_from_inside_line_received():
    protocol = connected()
    protocol.dataReceived(b"clear\na\r\nb")
    protocol.dataReceived(b"c\n")
    assert protocol.calls == [b"clear", (b"cleared", b"a\r\nb"), b"c"]


def test_an_exception_in_line_received_leaves_the_protocol_usable():
    class Failing(Recorder):
        def lineReceived(self, line):
            super().lineReceived(line)
            if line == b"fail":
                raise RuntimeError(line)

    protocol = connected(Failing())
    with pytest.raises(RuntimeError):
        protocol.dataReceived(b"fail\nnext\n")
    protocol.dataReceived(b"last\n")
    assert protocol.calls == [b"fail", b"next", b"last"]
    assert protocol.lines_received == 3


def test_after_a_line_that_is_too_long_the_next_is_whole():
    protocol = connected()
    protocol.MAX_LENGTH = 10
    protocol.dataReceived(b"before\n" + b"x" * 50)
    protocol.dataReceived(b"x" * 50)
    protocol.dataReceived(b"x\nafter\n")
    assert protocol.calls == [b"before", (b"long", b"x" * 50), b"after"]


def test_a_line_that_is_too_long_closes_the_connection_unless_that_is_overridden():
    protocol = connected(LineProtocol())
    protocol.dataReceived(b"x" * (LineProtocol.MAX_LENGTH + 2))
    assert protocol.transport.disconnecting


def test_any_line_end_is_told_from_an_equal_delimiter():
    assert LineProtocol.delimiter is ANY_LINE_END
    assert CrLfProtocol.delimiter == ANY_LINE_END
    assert CrLfProtocol.delimiter is not ANY_LINE_END


def test_clearing_the_buffer_when_a_line_is_too_long_clears_its_end_too():
    class Clearing(Recorder):
        MAX_LENGTH = 5

        def lineLengthExceeded(self, line):  # noqa: ARG002
            self.clearLineBuffer()

    protocol = connected(Clearing())
    protocol.dataReceived(b"xxxxxxxx\r\n")
    protocol.dataReceived(b"next\r\nthird\r\n")
    assert protocol.calls == [b"next", b"third"]


def test_a_delimiter_that_is_made_anew_each_time_is_the_same_delimiter():
    class Fresh(Recorder):
        @property
        def delimiter(self):
            return bytes(bytearray(b"\r\n"))

    protocol = connected(Fresh())
    protocol.dataReceived(b"line\n\r\n" * 3)
    assert protocol.calls == [b"line\n"] * 3
