"""Backpressure: a client that does not read is not read from, and who has paused decides when."""

from __future__ import annotations

from twisted.internet.testing import StringTransport

from line_protocols import Recorder, connected


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
