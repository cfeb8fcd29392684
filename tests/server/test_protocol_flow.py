"""Pausing, backpressure, half-close and closing, as a LineProtocol sees them."""

from __future__ import annotations

import pytest

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


def test_what_comes_after_closing_is_not_kept():
    protocol = connected()
    protocol.transport.loseConnection()
    for _ in range(100):
        protocol.transport.dataReceived(b"x" * 16384)
    assert protocol.clearLineBuffer() == b""
