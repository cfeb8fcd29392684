"""Threads, timers, asyncio, the old log; and nothing that is left over."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress
from pathlib import Path

import pytest
from twisted.internet import threads
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.python import log

from reactor.running import HalfCloseable, Recorder, only_uvloop
from support import eventually, receive_all


def test_work_can_be_given_to_threads(running):
    done = running.call(lambda: threads.deferToThread(threading.get_ident))
    assert done != running.call(threading.get_ident)


def test_calls_come_in_the_order_of_their_times(running):
    def schedule():
        called, done = [], Deferred()
        late = running.reactor.callLater(1000, called.append, "early")
        running.reactor.callLater(0.03, called.append, "third")
        running.reactor.callLater(0.02, called.append, "second")
        running.reactor.callLater(0.01, called.append, "never").cancel()
        delayed = running.reactor.callLater(0.001, called.append, "fourth")
        running.reactor.callLater(0.05, done.callback, called)
        late.reset(0.005)
        delayed.delay(0.04)
        return done

    assert running.call(schedule) == ["early", "second", "third", "fourth"]


@only_uvloop
def test_asyncio_runs_beside_twisted(running):
    async def echo(reader, writer):
        writer.write(await reader.read(100))
        await writer.drain()
        writer.close()

    async def program():
        assert asyncio.get_running_loop() is running.reactor.loop
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        answer = await reader.read(100)
        writer.close()
        server.close()
        thread = await asyncio.get_running_loop().run_in_executor(None, threading.get_ident)
        await asyncio.sleep(0.001)
        return answer, thread

    answer, thread = running.call(
        lambda: Deferred.fromFuture(asyncio.ensure_future(program(), loop=running.reactor.loop))
    )
    assert answer == b"hello"
    assert thread != threading.get_ident()


def test_the_old_log_names_a_protocol_that_has_named_itself(running):
    class Named(Recorder):
        def logPrefix(self):
            return "somebody"

        def dataReceived(self, _):
            log.msg("data")

        def connectionLost(self, reason):
            log.msg("lost")
            super().connectionLost(reason)

    def note(event):
        if event.get("log_text") in ("data", "lost"):
            names.append(event["log_system"])

    names = []
    globalLogPublisher.addObserver(note)
    try:
        client, protocol = running.pair(Named)
        client.sendall(b"hello")
        client.close()
        protocol.why_lost()
    finally:
        globalLogPublisher.removeObserver(note)
    assert names == ["somebody,0,127.0.0.1"] * 2


def end_by_client(_, client, __):
    client.close()


def end_by_server(running, _, protocol):
    running.call(protocol.transport.loseConnection)


def end_by_abort(running, _, protocol):
    running.call(protocol.transport.write, bytes(1 << 24))
    running.call(protocol.transport.abortConnection)


def end_by_halves(running, client, protocol):
    running.call(protocol.transport.getHandle)
    running.call(protocol.transport.loseWriteConnection)
    assert receive_all(client) == b""
    client.close()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@only_uvloop
def test_no_descriptor_and_no_connection_is_left_over(running):
    port = running.listen(Recorder)

    def open_and_close(rounds):
        for _ in range(rounds):
            for end in (end_by_client, end_by_server, end_by_abort, end_by_halves):
                with running.connect(port) as client:
                    protocol = running.accepted()
                    end(running, client, protocol)
                    protocol.why_lost()
        running.call(lambda: None)

    open_and_close(2)
    before = descriptors()
    open_and_close(250)
    eventually(lambda: descriptors() == before, "the end of all")
    assert list(running.reactor.native) == [port]


def test_a_lost_connection_is_freed_without_the_garbage_collector(running):
    gc.collect()
    gc.disable()
    try:
        client, protocol = running.pair(Recorder)
        client.sendall(b"hello")
        client.close()
        protocol.why_lost()
        transport = weakref.ref(protocol.transport)
        running._protocols.clear()
        del protocol
        for _ in range(3):
            running.call(lambda: None)
        assert transport() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("protocol", [Recorder, HalfCloseable])
def test_the_reactor_stops_with_a_paused_connection(running, protocol):
    client, protocol = running.pair(protocol)
    running.call(protocol.transport.write, bytes(1 << 24))
    running.stop()
    assert protocol.calls == ["lost"]
    with suppress(ConnectionError):
        receive_all(client)
