"""Who writes as fast as the peer reads: push producers, pull producers."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from time import monotonic

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.protocols.basic import FileSender
from zope.interface import implementer

from reactor.running import Recorder, only_uvloop
from support import DEADLINE, receive_all, receive_exactly

CHUNK = bytes(1 << 16)


@implementer(IPushProducer)
class Push:
    """Writes until it is paused, or has written all that it has."""

    def __init__(self, transport, chunks):
        self.transport = transport
        self.chunks = chunks
        self.calls = []
        self.paused = False

    def pauseProducing(self):
        assert not self.paused
        self.paused = True
        self.calls.append("pause")

    def resumeProducing(self):
        self.paused = False
        self.calls.append("resume")
        self.go()

    def stopProducing(self):
        self.calls.append("stop")

    def go(self):
        while self.chunks and not self.paused:
            self.chunks -= 1
            self.transport.write(CHUNK)
        if not self.chunks:
            self.transport.unregisterProducer()
            self.transport.loseConnection()


@implementer(IPullProducer)
class Pull:
    """Writes some pieces whenever it is asked to."""

    def __init__(self, transport, chunks, pieces=1):
        self.transport = transport
        self.chunks = chunks
        self.pieces = pieces
        self.calls = []

    def resumeProducing(self):
        self.calls.append("resume")
        if self.chunks:
            self.chunks -= 1
            for _ in range(self.pieces):
                self.transport.write(CHUNK[: len(CHUNK) // self.pieces])
        else:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self):
        self.calls.append("stop")


class Idle(Pull):
    """A producer that has nothing to write."""

    def resumeProducing(self):
        self.calls.append("resume")


def settle(running, producer):
    """Wait until nothing more can be sent."""
    told = -1
    while told != len(producer.calls):
        told = len(producer.calls)
        for _ in range(3):
            running.call(lambda: None)


def register(running, transport, producer):
    streaming = isinstance(producer, Push)
    running.call(transport.registerProducer, producer, streaming)
    return producer


def test_a_push_producer_is_paused_while_much_is_unsent(running):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, Push(protocol.transport, 300))
    running.call(producer.go)
    settle(running, producer)
    assert producer.paused
    assert producer.chunks > 100
    assert receive_all(client) == CHUNK * 300
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert producer.calls == (["pause", "resume"] * len(producer.calls))[: len(producer.calls)]


def test_a_push_producer_is_told_no_more_after_it_is_unregistered(running):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, Push(protocol.transport, 300))
    running.call(producer.go)
    settle(running, producer)
    running.call(protocol.transport.unregisterProducer)
    told = list(producer.calls)
    receive_exactly(client, (300 - producer.chunks) * len(CHUNK))
    client.close()
    protocol.why_lost()
    assert producer.calls == told


@only_uvloop
def test_a_push_producer_is_paused_at_once_where_much_is_unsent_already(running):
    # Twisted's own connections pause it at the first write after.
    client, protocol = running.pair(Recorder)
    for _ in range(300):
        running.call(protocol.transport.write, CHUNK)
    producer = register(running, protocol.transport, Push(protocol.transport, 1))
    assert producer.calls == ["pause"]
    assert len(receive_all(client)) == len(CHUNK) * 301
    assert producer.calls == ["pause", "resume"]


@pytest.mark.parametrize("pieces", [1, 2, 16])
def test_a_pull_producer_is_asked_for_more_until_it_has_no_more(running, pieces):
    client, protocol = running.pair(Recorder)
    register(running, protocol.transport, Pull(protocol.transport, 300, pieces))
    assert receive_exactly(client, len(CHUNK)) == CHUNK
    assert receive_all(client) == CHUNK * 299
    assert isinstance(protocol.why_lost(), ConnectionDone)


@only_uvloop
def test_after_a_pull_producer_a_push_producer_is_paused_and_resumed_as_before(running):
    _, protocol = running.pair(Recorder)
    transport = protocol.transport
    low, high = running.call(transport._uv.get_write_buffer_limits)
    register(running, transport, Idle(transport, 1))
    running.call(transport.unregisterProducer)
    low_after, high_after = running.call(transport._uv.get_write_buffer_limits)
    assert high_after == high
    assert low_after <= low


def test_a_pull_producer_waits_while_its_reader_does(running):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, Pull(protocol.transport, 10_000))
    settle(running, producer)
    assert producer.chunks > 9_000
    client.close()
    protocol.why_lost()
    assert producer.calls[-2:] == ["resume", "stop"]


def test_a_pull_producer_is_asked_once_for_all_that_it_writes_at_a_time(running):
    class Counts(Pull):
        def resumeProducing(self):
            asked[-1] += 1
            super().resumeProducing()

    def turn():
        asked.append(0)
        if not protocol.lost.done():
            running.reactor.callLater(0, turn)

    asked = [0]
    client, protocol = running.pair(Recorder)
    running.call(turn)
    register(running, protocol.transport, Counts(protocol.transport, 20, 1 << 13))
    assert len(receive_all(client)) == len(CHUNK) * 20
    protocol.why_lost()
    # It is asked when all is sent, and not once for each piece of it.
    assert max(asked) <= 2


def test_a_pull_producer_that_writes_nothing_is_not_asked_again_and_again(running):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, Idle(protocol.transport, 0))
    for _ in range(5):
        running.call(lambda: None)
    assert producer.calls == ["resume"]
    running.call(protocol.transport.unregisterProducer)
    running.call(protocol.transport.loseConnection)
    assert receive_all(client) == b""


def test_a_pull_producer_that_wrote_nothing_is_asked_after_the_next_write(running):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, Idle(protocol.transport, 0))
    running.call(lambda: None)
    asked = len(producer.calls)
    running.call(protocol.transport.write, b"more")
    assert client.recv(10) == b"more"
    running.call(lambda: None)
    assert len(producer.calls) == asked + 1


def test_a_file_is_sent_by_twisteds_own_sender(running):
    data = bytes(range(256)) * 40_000

    class Sends(Recorder):
        def connectionMade(self):
            sent = FileSender().beginFileTransfer(BytesIO(data), self.transport)
            sent.addCallback(lambda _: self.transport.loseConnection())

    client, protocol = running.pair(Sends)
    assert receive_all(client) == data
    assert isinstance(protocol.why_lost(), ConnectionDone)


@pytest.mark.parametrize("kind", [Push, Pull])
def test_the_connection_is_not_lost_before_its_producer_has_given_all(running, kind):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, kind(protocol.transport, 300))
    if kind is Push:
        running.call(producer.go)
        assert producer.paused
    running.call(protocol.transport.loseConnection)
    assert receive_all(client) == CHUNK * 300
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert "stop" not in producer.calls


def test_a_half_close_waits_for_a_pull_producer(running):
    class Half(Pull):
        def resumeProducing(self):
            super().resumeProducing()
            if not self.chunks:
                self.transport.unregisterProducer()

    client, protocol = running.pair(Recorder)
    register(running, protocol.transport, Half(protocol.transport, 300))
    running.call(protocol.transport.loseWriteConnection)
    assert receive_all(client) == CHUNK * 300
    client.sendall(b"thanks")
    client.close()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.received == b"thanks"


@pytest.mark.parametrize("kind", [Push, Pull])
@pytest.mark.parametrize("end", ["loss", "abortConnection"])
def test_a_producer_is_stopped_once_when_the_connection_is_lost(running, kind, end):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, kind(protocol.transport, 10_000))
    if kind is Push:
        running.call(producer.go)
    if end == "loss":
        client.close()
    else:
        running.call(protocol.transport.abortConnection)
    protocol.why_lost()
    assert producer.calls.count("stop") == 1


@pytest.mark.parametrize("kind", [Push, Pull])
def test_a_producer_that_comes_too_late_is_stopped(running, kind):
    client, protocol = running.pair(Recorder)
    client.close()
    protocol.why_lost()
    producer = register(running, protocol.transport, kind(protocol.transport, 1))
    assert producer.calls == ["stop"]


def test_there_can_be_one_producer_only(running):
    client, protocol = running.pair(Recorder)
    first = register(running, protocol.transport, Push(protocol.transport, 1))
    with pytest.raises(RuntimeError, match="never unregistered"):
        register(running, protocol.transport, Push(protocol.transport, 1))
    running.call(protocol.transport.unregisterProducer)
    second = register(running, protocol.transport, Push(protocol.transport, 1))
    running.call(second.go)
    assert receive_all(client) == CHUNK
    assert first.calls == []


def test_stop_consuming_takes_the_producer_away_and_closes(running):
    client, protocol = running.pair(Recorder)
    producer = register(running, protocol.transport, Push(protocol.transport, 1))
    running.call(protocol.transport.stopConsuming)
    assert receive_all(client) == b""
    protocol.why_lost()
    assert producer.calls == []


def test_a_push_producer_can_follow_a_pull_producer(running):
    class Ends(Pull):
        def resumeProducing(self):
            if self.chunks:
                super().resumeProducing()
            else:
                self.transport.unregisterProducer()
                push.go()

    client, protocol = running.pair(Recorder)
    push = Push(protocol.transport, 300)
    register(running, protocol.transport, Ends(protocol.transport, 5))
    assert receive_all(client) == CHUNK * 305


def test_a_pull_producer_may_come_after_a_half_close(running):
    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.loseWriteConnection)
    assert receive_all(client) == b""
    register(running, protocol.transport, Pull(protocol.transport, 5))
    client.sendall(b"heard")
    running.call(protocol.transport.unregisterProducer)
    client.close()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.received == b"heard"


def test_a_connection_is_a_producer_for_another(running):
    class Pipes(Recorder):
        def dataReceived(self, data):
            sink.transport.write(data)

        def connectionLost(self, reason):
            super().connectionLost(reason)
            sink.transport.unregisterProducer()
            sink.transport.loseConnection()

    slow, sink = running.pair(Recorder)
    client, source = running.pair(Pipes)
    running.call(sink.transport.registerProducer, source.transport, True)
    client.settimeout(DEADLINE)
    client.setblocking(False)
    sent = 0
    end = monotonic() + DEADLINE
    while running.call(lambda: source.transport in running.reactor.getReaders()):
        assert monotonic() < end, "the source is never paused"
        with suppress(BlockingIOError):
            sent += client.send(CHUNK)
    client.close()
    assert receive_all(slow) == bytes(sent)
