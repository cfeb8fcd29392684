"""What holds for a LineReceiver holds for a LineProtocol: Twisted's own tests of it, and more."""

from __future__ import annotations

import types
from pathlib import Path
from unittest.mock import Mock

import pytest
from twisted.internet.error import ConnectionDone
from twisted.protocols.basic import LineReceiver
from twisted.protocols.test import test_basic
from twisted.python.failure import Failure

from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol
from line_protocols import CrLfProtocol, Recorder, connected


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


def test_it_works_without_a_factory():
    protocol = connected(EchoProtocol())
    protocol.dataReceived(b"hello")
    protocol.connectionLost(Failure(ConnectionDone()))
    assert protocol.transport.transport.value() == b"hello"


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
