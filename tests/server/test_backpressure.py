"""Backpressure: a client that does not read is not read from, and who has paused decides when."""

from __future__ import annotations

import pytest
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import WrappingFactory

from echoproto.server.backpressure import BY_TRANSPORT
from echoproto.server.factory import LineFactory
from echoproto.server.registry import Registry
from line_protocols import Recorder, connected
from reactor import running as on_a_reactor
from support import receive_exactly

MUCH = b"x" * 8_000_000  # more than all the buffers between


class Echo(on_a_reactor.Recorder):
    """Any Twisted protocol: it knows nothing of lines, or of backpressure."""

    def dataReceived(self, data):
        super().dataReceived(data)
        self.transport.write(data)


@pytest.mark.parametrize("wrap", [lambda factory: factory, WrappingFactory], ids=["bare", "inside"])
def test_a_client_that_does_not_read_is_not_read_from_until_it_does(running, wrap):
    factory = running.keep(LineFactory(Echo, Registry()))
    outside = wrap(factory)
    outside.noisy = False
    port = running.listen(outside)
    greedy = running.connect(port)
    connection = running.accepted()
    other = running.connect(port)
    running.call(connection.write, MUCH)
    assert running.call(lambda: connection.paused) == BY_TRANSPORT
    greedy.sendall(b"question")
    for _ in range(2):  # by then, the reactor has had the chance to read from both
        other.sendall(b"?")
        assert receive_exactly(other, 1) == b"?"
    assert connection.protocol.received == b""
    assert receive_exactly(greedy, len(MUCH)) == MUCH
    assert receive_exactly(greedy, 8) == b"question"
    assert running.call(lambda: connection.paused) == 0


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
