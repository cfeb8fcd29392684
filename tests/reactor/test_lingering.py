"""A peer that still sends when we close gets everything, and then learns that nobody reads."""

from __future__ import annotations

import select
import socket
import threading

import pytest
from twisted.internet.error import ConnectionDone

from echoproto.reactor import lingering as module
from reactor.running import Recorder, only_uvloop
from support import DEADLINE, receive_all

MUCH = b"y" * 3_000_000  # more than all the buffers between


class Answers(Recorder):
    """Answers the first data, and closes."""

    def dataReceived(self, data):
        super().dataReceived(data)
        self.transport.write(MUCH)
        self.transport.loseConnection()


def keep_sending(sock, failed):
    try:
        while True:
            sock.sendall(b"x" * 65536)
    except OSError as error:
        failed.append(error)


@only_uvloop
@pytest.mark.parametrize("reads_at_once", [True, False])
def test_a_peer_that_keeps_sending_gets_the_whole_answer(running, reads_at_once):
    client, _ = running.pair(Answers)
    failed = []
    thread = threading.Thread(target=keep_sending, args=[client, failed])
    thread.start()
    if not reads_at_once:
        select.select([client], [], [], DEADLINE)
    received = 0
    while received < len(MUCH):
        data = client.recv(1 << 16)
        assert data
        received += len(data)
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert isinstance(failed[0], ConnectionResetError | BrokenPipeError)


@pytest.fixture
def lingering(running, monkeypatch):
    """A client to which something is on its way, and an event for the end of that."""
    closed = threading.Event()
    close = module._Lingering._close
    monkeypatch.setattr(module._Lingering, "_close", lambda it: (close(it), closed.set()))
    with socket.socket() as client:
        client.settimeout(DEADLINE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = running.listen(Recorder)
        client.connect(("127.0.0.1", running.call(port.getHost).port))
        protocol = running.accepted()
        running.call(protocol.transport.write, b"y" * 200_000)  # the system takes it all
        running.call(protocol.transport.loseConnection)
        assert isinstance(protocol.why_lost(), ConnectionDone)
        yield client, closed


@only_uvloop
def test_the_socket_is_closed_when_everything_has_arrived(lingering):
    client, closed = lingering
    assert not closed.is_set()
    assert len(receive_all(client)) == 200_000
    assert closed.wait(DEADLINE)


@only_uvloop
def test_the_socket_is_closed_when_the_peer_is_gone(lingering):
    client, closed = lingering
    client.close()
    assert closed.wait(DEADLINE)


@only_uvloop
@pytest.mark.parametrize("limit", ["TIMEOUT", "MAX_TIME"])
def test_a_peer_that_never_reads_is_let_go(lingering, monkeypatch, limit):
    monkeypatch.setattr(module, limit, 0.1)
    _, closed = lingering
    assert closed.wait(DEADLINE)
