"""Pausing, backpressure, half-close and closing, as a LineProtocol sees them."""

from __future__ import annotations

import pytest
from twisted.internet.testing import StringTransport

from line_protocols import Recorder, connected


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


def test_what_comes_after_closing_is_not_kept():
    protocol = connected()
    protocol.transport.loseConnection()
    for _ in range(100):
        protocol.transport.dataReceived(b"x" * 16384)
    assert protocol.clearLineBuffer() == b""
