"""LineProtocol and EchoProtocol: bytes in, calls and bytes out."""

from __future__ import annotations

import types
from itertools import pairwise
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.protocols.test import test_basic
from twisted.python.failure import Failure

from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol
from echoproto.wire.framing import ANY_LINE_END


class CrLfProtocol(LineProtocol):
    delimiter = b"\r\n"


def twisteds_own_tests(base):
    """Twisted's tests of LineReceiver, with `base` in its place."""
    source = Path(test_basic.__file__).read_text(encoding="utf-8")
    module = types.ModuleType("twisteds_own_tests")
    vars(module)["base"] = base
    exec(source.replace("basic.LineReceiver", "base"), vars(module))
    return module


class TestTwistedsOwn(twisteds_own_tests(LineProtocol).LineReceiverTests):
    """With any line end, where a test sets no delimiter."""


class TestTwistedsOwnWithCrLf(twisteds_own_tests(CrLfProtocol).LineReceiverTests):
    """With the delimiter of LineReceiver."""


class TestTwistedsOwnOfLongLines(
    twisteds_own_tests(CrLfProtocol).LineReceiverLineLengthExceededTests
):
    """What LineReceiver does with lines that are too long, but for what is meant to differ."""

    def passes_each_long_line_by_itself(self):
        """LineReceiver passes all that has arrived, and the lines in it are lost."""
        long = b"x" * (self.proto.MAX_LENGTH * 2 + 2)
        self.proto.dataReceived(self.proto.delimiter.join([long, long]))
        assert self.proto.longLines == [long, long]

    test_longLineWithDelimiter = passes_each_long_line_by_itself
    test_multipleLongLines = passes_each_long_line_by_itself


class Recorder(LineProtocol):
    """Keeps what it is given; a line that names one of its methods calls it."""

    def __init__(self):
        self.calls = []

    def lineReceived(self, line):
        self.calls.append(line)
        command, _, argument = line.decode("latin-1").partition(" ")
        if command in ("raw", "limit") and not argument.isdecimal():
            return
        match command:
            case "raw":
                self.left = int(argument)
                self.setRawMode()
            case "pause":
                self.pauseProducing()
            case "close":
                self.transport.loseConnection()
            case "abort":
                self.transport.abortConnection()
            case "delimiter":
                self.delimiter = argument.encode() or b";"
            case "limit":
                self.MAX_LENGTH = int(argument)
            case "clear":
                self.calls.append((b"cleared", self.clearLineBuffer()))

    def rawDataReceived(self, data):
        self.calls.append((b"raw", data[: self.left]))
        rest = data[self.left :]
        self.left -= len(data) - len(rest)
        if not self.left:
            self.setLineMode(rest)

    def lineLengthExceeded(self, line):
        self.calls.append((b"long", line))


def connected(protocol=None):
    protocol = protocol or Recorder()
    ServerConnection(protocol).makeConnection(StringTransport())
    return protocol


def joined(calls):
    """The calls, as they are however the data came: raw data in one piece, long lines without
    what had come of them."""
    result = []
    for call in calls:
        match call, result:
            case (b"raw", data), [*_, (b"raw", before)]:
                result[-1] = (b"raw", before + data)
            case (b"long", _), _:
                result.append(b"long")
            case _:
                result.append(call)
    return result


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


def test_pausing_from_inside_line_received_stops_at_that_line():
    protocol = connected()
    protocol.dataReceived(b"one\npause\ntwo\n")
    assert protocol.calls == [b"one", b"pause"]
    assert protocol.transport.transport.producerState == "paused"
    protocol.dataReceived(b"three\n")
    assert protocol.calls == [b"one", b"pause"]
    protocol.resumeProducing()
    assert protocol.calls == [b"one", b"pause", b"two", b"three"]
    assert protocol.transport.transport.producerState == "producing"


@pytest.mark.parametrize("how", [b"close", b"abort"])
def test_no_line_is_delivered_after_the_connection_was_closed(how):
    protocol = connected()
    protocol.transport.dataReceived(how + b"\nmore\n")
    protocol.transport.dataReceived(b"and more\n")
    assert protocol.calls == [how]


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


def test_a_protocol_that_is_no_subclass_can_be_paused_by_its_line_received():
    protocol = connected(LineProtocol())
    lines = []

    def pause_at(line):
        lines.append(line)
        protocol.pauseProducing()

    protocol.lineReceived = pause_at
    protocol.dataReceived(b"one\ntwo\n")
    assert lines == [b"one"]


def test_a_truthy_answer_of_line_received_ends_the_chunk_and_is_handed_on():
    class Answering(Recorder):
        def lineReceived(self, line):
            super().lineReceived(line)
            return line == b"stop"

    protocol = connected(Answering())
    assert protocol.dataReceived(b"one\nstop\nthree\n") is True
    assert protocol.calls == [b"one", b"stop"]
    assert protocol.lines_received == 2


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


def test_the_transport_does_not_resume_what_the_protocol_has_paused():
    protocol = connected()
    protocol.dataReceived(b"pause\nnext\n")
    protocol.transport.producer.pauseProducing()
    protocol.transport.producer.resumeProducing()
    assert protocol.calls == [b"pause"]
    assert protocol.transport.transport.producerState == "paused"
    protocol.resumeProducing()
    assert protocol.calls == [b"pause", b"next"]


def test_the_protocol_does_not_resume_what_the_transport_has_paused():
    protocol = connected()
    protocol.transport.producer.pauseProducing()
    protocol.dataReceived(b"line\n")
    protocol.pauseProducing()
    protocol.resumeProducing()
    assert protocol.calls == []
    protocol.transport.producer.resumeProducing()
    assert protocol.calls == [b"line"]


def test_lines_stop_when_the_answers_to_them_fill_the_transport():
    class Verbose(Recorder):
        def lineReceived(self, line):
            super().lineReceived(line)
            if len(self.calls) == 3:
                self.transport.producer.pauseProducing()

    protocol = connected(Verbose())
    protocol.dataReceived(b"line\n" * 10)
    assert len(protocol.calls) == 3
    protocol.transport.producer.resumeProducing()
    assert len(protocol.calls) == 10


def test_once_it_closes_it_does_not_stand_in_the_way_of_the_transport():
    # Twisted does not close while it has a producer.
    protocol = connected()
    transport = protocol.transport
    transport.producer.pauseProducing()
    transport.loseConnection()
    assert transport.producer is None


def test_half_close_delivers_what_is_left_and_then_closes():
    protocol = connected()
    protocol.dataReceived(b"pause\nnext\nraw 2\nab")
    protocol.transport.readConnectionLost()
    assert not protocol.transport.disconnecting
    protocol.resumeProducing()
    assert protocol.calls == [b"pause", b"next", b"raw 2", (b"raw", b"ab")]
    assert protocol.transport.disconnecting


def test_a_protocol_may_go_on_sending_after_half_close():
    class Late(Recorder):
        def peerHalfClosed(self):
            self.calls.append("half-closed")

    protocol = connected(Late())
    protocol.dataReceived(b"line\n")
    protocol.transport.readConnectionLost()
    protocol.sendLine(b"answer")
    assert protocol.calls == [b"line", "half-closed"]
    assert not protocol.transport.disconnecting
    protocol.pauseProducing()
    protocol.resumeProducing()
    # Reading on would only read the end again.
    assert protocol.transport.transport.producerState == "paused"


def test_stop_producing_stops():
    protocol = connected()
    protocol.stopProducing()
    protocol.dataReceived(b"line\n")
    assert protocol.calls == []
    assert protocol.transport.disconnecting


def test_it_works_without_a_factory():
    protocol = connected(EchoProtocol())
    protocol.dataReceived(b"hello")
    protocol.connectionLost(Failure(ConnectionDone()))
    assert protocol.transport.transport.value() == b"hello"


def echo(chunks, *args, **kwargs):
    protocol = connected(EchoProtocol(*args, **kwargs))
    for chunk in chunks:
        protocol.transport.dataReceived(chunk)
    return protocol


CHUNKS = st.lists(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\0", b"\xff"]), min_size=1, max_size=6).map(
        b"".join
    )
)


@given(CHUNKS, st.booleans())
def test_in_stream_mode_every_byte_comes_back(chunks, log_lines):
    protocol = echo(chunks, log_lines=log_lines, telnet="never")
    assert protocol.transport.transport.value() == b"".join(chunks)
    assert protocol.transport.bytes_received == len(b"".join(chunks))


@given(CHUNKS, st.booleans())
def test_in_line_mode_whole_lines_come_back_with_the_ends_that_they_had(chunks, log_lines):
    protocol = echo(chunks, "line", log_lines=log_lines, telnet="never")
    stream = b"".join(chunks)
    end = max(stream.rfind(b"\n"), stream.rfind(b"\r")) + 1
    if stream[:end].endswith(b"\r") and stream[end : end + 1] == b"\0":
        end += 1
    assert protocol.transport.transport.value() == stream[:end]
    protocol.transport.readConnectionLost()
    assert protocol.transport.transport.value() == stream
    assert protocol.transport.transport.disconnecting


def test_lines_are_counted_where_they_are_looked_for():
    chunks = [b"a\nb\r", b"\nc\r\0d"]
    assert echo(chunks).lines_received is None
    assert echo(chunks, log_lines=True).lines_received == 3
    assert echo(chunks, "line", log_lines=True).lines_received == 3


def test_in_line_mode_a_line_that_is_too_long_comes_back_in_pieces_and_nothing_is_lost():
    long = b"x" * (EchoProtocol.MAX_LENGTH + 1)
    stream = [b"a\n" + long, long + b"\r", b"\nb\n", long + b"\nc\r\n" + long]
    for log_lines in (False, True):
        protocol = echo(stream, "line", log_lines=log_lines)
        protocol.transport.readConnectionLost()
        assert protocol.transport.transport.value() == b"".join(stream)


def test_any_line_end_is_told_from_an_equal_delimiter():
    assert LineProtocol.delimiter is ANY_LINE_END
    assert CrLfProtocol.delimiter == ANY_LINE_END
    assert CrLfProtocol.delimiter is not ANY_LINE_END


def test_a_half_close_is_told_once():
    class Late(Recorder):
        def peerHalfClosed(self):
            self.calls.append("half-closed")

    protocol = connected(Late())
    protocol.transport.readConnectionLost()
    protocol.pauseProducing()
    protocol.resumeProducing()
    protocol.transport.producer.pauseProducing()
    protocol.transport.producer.resumeProducing()
    protocol.setLineMode()
    assert protocol.calls == ["half-closed"]


def test_clearing_the_buffer_when_a_line_is_too_long_clears_its_end_too():
    class Clearing(Recorder):
        MAX_LENGTH = 5

        def lineLengthExceeded(self, line):  # noqa: ARG002
            self.clearLineBuffer()

    protocol = connected(Clearing())
    protocol.dataReceived(b"xxxxxxxx\r\n")
    protocol.dataReceived(b"next\r\nthird\r\n")
    assert protocol.calls == [b"next", b"third"]


def test_a_producer_of_the_author_takes_the_place_of_backpressure_and_gives_it_back():
    protocol = connected()
    bottom = protocol.transport.transport
    ours = bottom.producer
    ours.pauseProducing()
    protocol.dataReceived(b"line\n")
    assert protocol.calls == []
    protocol.transport.registerProducer(protocol, True)
    assert bottom.producer is protocol
    assert protocol.calls == [b"line"]
    protocol.transport.unregisterProducer()
    bottom.producer.pauseProducing()
    assert protocol.paused


def test_on_a_transport_that_is_only_a_test_s_it_registers_no_producer():
    protocol = Recorder()
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(b"line\n")
    assert protocol.transport is transport
    assert transport.producer is None
    assert protocol.calls == [b"line"]


@pytest.mark.parametrize("extra", [b"", None])
def test_going_to_line_mode_with_nothing_extra_is_as_in_line_receiver(extra):
    protocol = connected()
    protocol.setRawMode()
    assert protocol.setLineMode(extra) is None
    protocol.dataReceived(b"line\n")
    assert protocol.calls == [b"line"]


def test_a_mock_of_a_transport_works_as_with_line_receiver():
    def lines_of(base):
        class Keeping(base):
            def lineReceived(self, line):
                lines.append(line)

        lines = []
        protocol = Keeping()
        protocol.makeConnection(Mock())
        protocol.dataReceived(b"one\r\ntwo\r\nthree\r\n")
        protocol.dataReceived(b"")
        return lines

    assert lines_of(LineReceiver) == lines_of(CrLfProtocol) != []


def test_names_that_authors_choose_are_theirs():
    names = ["_dispatch", "_deliver", "_codec", "_waits", "observer", "_splitter", "connection"]
    protocol = connected(type("Author", (Recorder,), dict.fromkeys(names, 1))())
    protocol.transport.dataReceived(b"one\ntwo\nthr")
    protocol.transport.dataReceived(b"ee\n")
    protocol.transport.readConnectionLost()
    assert protocol.calls == [b"one", b"two", b"three"]
    assert [getattr(protocol, name) for name in names] == [1] * len(names)


def test_a_delimiter_that_is_made_anew_each_time_is_the_same_delimiter():
    class Fresh(Recorder):
        @property
        def delimiter(self):
            return bytes(bytearray(b"\r\n"))

    protocol = connected(Fresh())
    protocol.dataReceived(b"line\n\r\n" * 3)
    assert protocol.calls == [b"line\n"] * 3


def test_what_comes_after_closing_is_not_kept():
    protocol = connected()
    protocol.transport.loseConnection()
    for _ in range(100):
        protocol.transport.dataReceived(b"x" * 16384)
    assert protocol.clearLineBuffer() == b""
