"""Connections that cannot be accepted: they are counted, and logged once a minute."""

from __future__ import annotations

import errno
import resource
import socket
import struct
from contextlib import ExitStack, suppress
from threading import Event

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher

import support
from echoproto.server.refusals import INTERVAL, REST, Refusals
from reactor.running import only_uvloop
from support import DEADLINE, eventually

LIMIT = 64


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


@pytest.fixture
def lines():
    """The lines of echoproto's own log, as they come."""

    def observe(event):
        if event.get("log_namespace") == "echoproto":
            lines.append(formatEvent(event))

    lines = []
    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def refusals(clock):
    return Refusals(clock)


def is_served(client):
    with suppress(ConnectionError):
        client.sendall(b"hello")
        return client.recv(10) == b"hello"
    return False


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_where_descriptors_run_out_the_log_says_so_in_one_line(serve, tmp_path, kind):
    path = str(tmp_path / "socket")

    def connect():
        if kind == "tcp":
            return support.connect(server.port)
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(DEADLINE)
        client.connect(path)
        return client

    def serves_again():
        with connect() as client:
            return is_served(client)

    with serve(listen=["127.0.0.1:0" if kind == "tcp" else f"unix:{path}"]) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        with ExitStack() as opened:
            clients = [opened.enter_context(connect()) for _ in range(LIMIT + 50)]
            served = [client for client in clients if is_served(client)]
            assert LIMIT // 4 < len(served) < LIMIT
            assert all(is_served(client) for client in served)
        refused = len(clients) - len(served)
        eventually(serves_again, "a client is served again")
        log = server.stop()
    about = [line for line in log.splitlines() if "refused" in line or "EMFILE" in line]
    (line,) = about
    count = int(line.split("] ")[1].split()[0])
    assert count >= refused  # and those that came before the others were gone
    assert line.endswith(
        f"{count} connections refused in the last minute: no file descriptors left "
        f"(limit {LIMIT}); raise it with ulimit -n or LimitNOFILE="
    )
    assert "Traceback" not in log


@only_uvloop  # on Linux, Twisted accepts such a connection, and it is then logged as lost
def test_who_is_gone_before_being_accepted_is_counted(running, refusals, lines):
    port = running.listen(Echo)
    refusals.watch(port)
    number = running.call(port.getHost).port
    begun, done = Event(), Event()
    running.reactor.callFromThread(lambda: (begun.set(), done.wait(DEADLINE)))
    assert begun.wait(DEADLINE)  # nobody accepts until it is done
    for _ in range(3):
        with support.connect(number) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    done.set()
    assert is_served(running.connect(port))
    running.call(refusals.report)
    assert lines == ["3 connections reset by the client before being accepted, in the last minute"]


def test_a_line_comes_a_minute_after_the_first_refusal(running, clock, refusals, lines):
    port = running.listen(Echo)
    refusals.watch(port)
    log = port._logger

    def refuse():
        log.info("EMFILE encountered")
        log.info("EMFILE recovery: Closed socket from {address}", address=("192.0.2.1", 1))

    refuse()
    clock.advance(INTERVAL - 1)
    refuse()
    assert lines == []
    clock.advance(1)
    assert [line.split(":")[0] for line in lines] == ["2 connections refused in the last minute"]
    refuse()
    clock.advance(INTERVAL)
    assert lines[1].startswith("1 connection refused in the last minute")
    clock.advance(INTERVAL)
    refusals.report()
    assert len(lines) == 2


class Failing:
    """A listening socket that cannot accept the first times."""

    def __init__(self, sock, error=errno.ENFILE, times=2):
        self._sock = sock
        self._error = error
        self._times = times
        self.failed = 0

    def accept(self):
        if self.failed < self._times:
            self.failed += 1
            raise OSError(self._error, "fails")
        return self._sock.accept()

    def __getattr__(self, name):
        return getattr(self._sock, name)


@pytest.mark.parametrize("running", ["epoll"], indirect=True)  # on ours, libuv accepts
def test_a_port_that_cannot_accept_rests_before_it_tries_again(running, clock, refusals, lines):
    port = running.listen(Echo)
    refusals.watch(port)
    failing = port.socket = Failing(port.socket)
    client = running.connect(port)
    eventually(lambda: failing.failed, "the first try")
    for _ in range(10):
        running.call(lambda: None)
    assert failing.failed == 1
    running.call(clock.advance, REST)
    eventually(lambda: failing.failed == 2, "the second try")
    running.call(clock.advance, REST)
    assert is_served(client)
    running.call(refusals.report)
    assert lines == ["accepting failed 2 times in the last minute: Too many open files in system"]


@pytest.mark.parametrize("running", ["epoll"], indirect=True)
def test_a_port_does_not_rest_where_only_one_client_is_gone(running, refusals, lines):
    port = running.listen(Echo)
    refusals.watch(port)
    failing = port.socket = Failing(port.socket, errno.ECONNABORTED, times=3)
    assert is_served(running.connect(port))
    assert failing.failed == 3
    running.call(refusals.report)
    assert lines == ["3 connections reset by the client before being accepted, in the last minute"]


@pytest.mark.parametrize("running", ["epoll"], indirect=True)
def test_a_port_that_rests_can_be_stopped(running, clock, refusals):
    port = running.listen(Echo)
    refusals.watch(port)
    failing = port.socket = Failing(port.socket)
    running.connect(port)
    eventually(lambda: failing.failed, "the first try")
    running.call(port.stopListening)
    running.call(clock.advance, REST)
    assert failing.failed == 1
