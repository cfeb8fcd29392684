"""`reactor.iterate`: a program with a loop of its own drives the reactor."""

from __future__ import annotations

import asyncio
from threading import Event, Timer
from time import monotonic

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from reactor.running import KINDS, Recorder
from support import DEADLINE, connect

pytestmark = pytest.mark.timeout(method="thread")  # uvloop drops what a signal's handler raises


@pytest.fixture(params=KINDS)
def reactor(request):
    built = KINDS[request.param]()
    yield built
    for each in built.removeAll():
        each.connectionLost(Failure(ConnectionLost()))
    built.iterate()
    for each in list(built._internalReaders):
        built.removeReader(each)
        each.connectionLost(None)
    if request.param == "uvloop":
        built.loop.close()
        asyncio.set_event_loop(None)
    else:
        built._poller.close()


class Echo(Recorder):
    def dataReceived(self, data):
        super().dataReceived(data)
        self.transport.write(data)


def listen(reactor):
    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    factory.made = []
    factory.buildProtocol = lambda _: factory.made.append(Echo()) or factory.made[-1]
    return factory, reactor.listenTCP(0, factory, interface="127.0.0.1")


SOON = DEADLINE / 2
"""Shorter than an endless wait, even on a very busy machine."""


def iterate_until(reactor, what, delay=0.0):
    end = monotonic() + DEADLINE
    while not what():
        assert monotonic() < end
        reactor.iterate(delay)


def took(function, *args):
    begin = monotonic()
    function(*args)
    return monotonic() - begin


def test_without_a_delay_it_does_not_wait(reactor):
    # asyncio's own reactor takes ten seconds, and ours hundredths of one.
    assert took(lambda: [reactor.iterate() for _ in range(1000)]) < 5


def test_it_waits_as_long_as_it_may(reactor):
    reactor.iterate()
    assert took(reactor.iterate, 0.1) > 0.09


def test_calls_that_are_due_are_made_and_no_others(reactor):
    called = []
    reactor.callLater(0, called.append, "now")
    reactor.callLater(DEADLINE, called.append, "later")
    reactor.callLater(0, reactor.callLater, 0, called.append, "next")
    reactor.iterate()
    assert called[:1] == ["now"]
    reactor.iterate()
    reactor.iterate()
    assert called == ["now", "next"]


@pytest.mark.parametrize("delay", [0, 0.01])
def test_connections_and_data_are_served(reactor, delay):
    factory, port = listen(reactor)
    with connect(port.getHost().port) as client:
        iterate_until(reactor, lambda: factory.made and factory.made[0].connected, delay)
        client.sendall(b"hello")
        iterate_until(reactor, lambda: factory.made[0].received == b"hello", delay)
        reactor.iterate(delay)
        assert client.recv(100) == b"hello"
        client.close()
        iterate_until(reactor, lambda: factory.made[0].calls == ["lost"], delay)


def test_what_is_ready_is_done_without_delay(reactor):
    factory, port = listen(reactor)
    reactor.iterate()
    with connect(port.getHost().port) as client:
        assert took(reactor.iterate, DEADLINE) < SOON
        reactor.iterate()
        assert len(factory.made) == 1
        client.sendall(b"hello")
        assert took(reactor.iterate, DEADLINE) < SOON
        assert factory.made[0].received == b"hello"


def test_what_comes_while_it_waits_ends_the_wait(reactor):
    factory, port = listen(reactor)
    with connect(port.getHost().port) as client:
        iterate_until(reactor, lambda: factory.made and factory.made[0].connected)
        for _ in range(3):
            reactor.iterate()
        comes = Event()
        late = Timer(0.1, lambda: (comes.set(), client.sendall(b"hello")))
        late.start()
        assert took(reactor.iterate, DEADLINE) < SOON
        assert comes.is_set()  # for that it has waited
        late.join(DEADLINE)
        assert factory.made[0].received == b"hello"


def test_a_call_from_a_thread_ends_the_wait(reactor):
    called = []
    reactor.iterate()
    late = Timer(0.1, reactor.callFromThread, [called.append, "called"])
    late.start()
    assert took(reactor.iterate, DEADLINE) < SOON
    late.join(DEADLINE)
    iterate_until(reactor, lambda: called)
