"""What is in flight when the service stops is delivered, also by a process that stands still."""

from __future__ import annotations

from time import sleep

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock

from echoproto.server import drain as drain_module
from echoproto.server.backpressure import BY_TRANSPORT
from echoproto.server.drain import DRAIN_IDLE
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.registry import Registry
from support import receive_all


def test_what_comes_while_the_process_stands_still_is_echoed(running, monkeypatch):
    # As on a busy machine: time is up when it goes on, and what has come is not yet read.
    monkeypatch.setattr(drain_module, "DRAIN_IDLE", 0.02)
    registry = Registry()
    factory = running.keep(LineFactory(EchoProtocol, registry))
    endpoint = serverFromString(running.reactor, "tcp:0:interface=127.0.0.1")
    client = running.connect(running.call(endpoint.listen, factory))
    running.accepted()

    def stop():
        drained.append(Deferred.fromCoroutine(registry.drain(running.reactor)))
        client.sendall(b"hello")
        sleep(0.05)

    drained = []
    running.call(stop)
    assert receive_all(client) == b"hello"
    running.call(lambda: drained[0])


class Paused:
    """A connection that its client's slowness has paused."""

    bytes_received = 1
    unsent = 1
    paused = BY_TRANSPORT
    disconnecting = False

    def finish(self):
        self.disconnecting = True


@pytest.mark.parametrize("passes", [1, 5])
def test_a_connection_that_was_paused_may_read_for_a_while_before_it_is_closed(passes):
    clock, registry, connection = Clock(), Registry(), Paused()
    registry.connections[connection] = None
    Deferred.fromCoroutine(registry.drain(clock))
    clock.pump([DRAIN_IDLE / 10] * 10 * passes)
    connection.paused = 0  # it is about to read what waits in the system's buffer
    clock.pump([DRAIN_IDLE / 10] * 11)
    assert not connection.disconnecting
    clock.pump([DRAIN_IDLE / 10] * 12)
    assert connection.disconnecting
