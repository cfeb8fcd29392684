"""`--log-lines`: what a client sends is in the log, once, and no client can flood it."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import formatEvent, globalLogPublisher

from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.line_log import CONNECTION_LINES, SERVER_LINES, Budget
from peers import RESET_AT_CLOSE
from support import connect, eventually, matching, receive_all, receive_exactly
from telnet_bytes import HELLO

pytestmark = pytest.mark.long


class Connection:
    """An echo that logs lines, on a transport and a clock of the test's own."""

    def __init__(self, logged, **kwargs):
        self._logged = logged
        self.clock = Clock()
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 7))
        transport.reactor = self.clock
        factory = LineFactory(lambda: EchoProtocol(log_lines=True, **kwargs))
        self.connection = factory.buildProtocol(None)
        self.connection.makeConnection(transport)

    def send(self, data):
        self.connection.dataReceived(data)

    @property
    def log(self):
        """What is logged of its lines, since the last time."""
        texts = [formatEvent(event) for event in self._logged]
        self._logged.clear()
        return [text.removeprefix("[1] ") for text in texts if " connected" not in text]


@pytest.fixture
def client():
    logged = []
    globalLogPublisher.addObserver(logged.append)
    yield lambda **kwargs: Connection(logged, **kwargs)
    globalLogPublisher.removeObserver(logged.append)


@pytest.mark.parametrize("mode", ["stream", "line"])
def test_bytes_without_a_line_end_are_logged_after_a_second_and_once(client, mode):
    it = client(mode=mode)
    it.send(b"hello")
    it.clock.advance(0.9)
    assert it.log == []
    it.clock.advance(0.1)
    assert it.log == ["b'hello' (5 bytes without a line end)"]
    it.clock.advance(10)
    assert it.log == []
    it.send(b",")
    it.clock.advance(1)
    assert it.log == ["...b',' (1 byte without a line end)"]
    it.send(b" world\nnext\n")
    assert it.log == ["...b' world'", "b'next'"]
    assert it.connection.protocol.lines_received == 2


def test_what_ends_in_time_is_logged_as_a_line(client):
    it = client()
    it.send(b"hel")
    it.send(b"lo\n")
    assert it.log == ["b'hello'"]
    it.clock.advance(1)
    assert it.log == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\0"])
def test_no_timer_runs_while_no_line_is_unfinished(client, end):
    it = client()
    it.send(b"hello" + end)
    it.clock.advance(1)
    assert it.clock.getDelayedCalls() == []
    assert it.log == ["b'hello'"]


def test_a_line_end_alone_ends_the_line_that_was_logged(client):
    it = client()
    it.send(b"hello")
    it.clock.advance(1)
    it.send(b"\r")
    it.send(b"\n")
    it.send(b"next\n")
    assert it.log == ["b'hello' (5 bytes without a line end)", "...b''", "b'next'"]


def test_bytes_without_a_line_end_are_logged_before_the_end_of_the_connection(client):
    it = client()
    it.send(b"one\ntwo")
    it.connection.connectionLost()
    first, second, last = it.log
    assert [first, second] == ["b'one'", "b'two' (3 bytes without a line end)"]
    assert "disconnected: 1 line, 7 bytes" in last
    assert it.clock.getDelayedCalls() == []


def test_a_client_that_half_closes_has_said_its_last_byte(client):
    it = client()
    it.send(b"two")
    it.connection.readConnectionLost()
    assert it.log == ["b'two' (3 bytes without a line end)"]
    it.connection.connectionLost()
    assert len(it.log) == 1


def test_of_a_line_that_is_too_long_the_start_is_logged_once(client):
    it = client()
    it.send(b"x" * 20_000)
    it.send(b"x" * 20_000)
    it.clock.advance(1)
    assert it.log == [f"a line of more than 16384 bytes: b'{'x' * 32}'..."]
    it.send(b"x\nnext\n")
    assert it.log == ["b'next'"]


def test_in_telnet_it_is_what_was_typed(client):
    it = client()
    it.send(HELLO + b"caf\xff\xff")
    it.clock.advance(1)
    assert it.log == ["speaks telnet", r"b'caf\xff' (4 bytes without a line end)"]
    it.send(b"e\r\0")
    assert it.log == ["...b'e'"]


def test_a_protocol_that_has_paused_is_asked_later(client):
    it = client()
    it.send(b"hello")
    it.connection.protocol.pauseProducing()
    it.clock.advance(1)
    assert it.log == []
    it.connection.protocol.resumeProducing()
    it.clock.advance(1)
    assert it.log == ["b'hello' (5 bytes without a line end)"]


def test_a_budget_is_for_one_second():
    budget = Budget(2)
    assert [budget.take(100.0), budget.take(100.5), budget.take(100.9)] == [True, True, False]
    assert budget.take(101.0, 5)
    assert not budget.take(101.5)
    assert budget.take(102.0)


def exchange(sock, data):
    sock.sendall(data)
    assert receive_exactly(sock, len(data)) == data


def lines_of(log, number=1):
    return re.findall(rf"#info\] \[{number}\] (.*)", log)


def test_a_client_that_waits_in_recv_is_seen(serve):
    with serve("--log-lines") as server:
        with connect(server.port) as sock:
            exchange(sock, b"hello")
            server.log.wait_for(r"\[1\] b'hello' \(5 bytes without a line end\)")
            sock.setsockopt(*RESET_AT_CLOSE)
            exchange(sock, b"!")
        server.log.wait_for("disconnected")
        assert lines_of(server.stop())[1:] == [
            "b'hello' (5 bytes without a line end)",
            "...b'!' (1 byte without a line end)",
            matching(".* reset by the client"),
        ]


def logged_and_counted(log, line):
    """How many lines were logged, how many were only counted, and in how many summaries."""
    counts = re.findall(r"\] ([\d,]+) more lines? in the last (?:second|\d+ seconds)\n", log)
    counted = sum(int(count.replace(",", "")) for count in counts)
    return log.count(f"] {line}\n"), counted, len(counts)


def test_a_flood_of_lines_is_counted_and_lines_are_logged_again_after_it(serve):
    with serve("--log-lines") as server:
        with connect(server.port) as sock:
            for _ in range(8):
                exchange(sock, b"\n" * 65536)

            def all_are_known():
                logged, counted, _ = logged_and_counted(server.log.text, "b''")
                return logged + counted == 8 * 65536

            eventually(all_are_known, "the number of lines")
            exchange(sock, b"again\nun")
            server.log.wait_for(r"\[1\] b'again'")
            server.log.wait_for(r"\[1\] b'un' \(2 bytes without a line end\)")
        log = server.stop()
    logged, _, summaries = logged_and_counted(log, "b''")
    assert CONNECTION_LINES <= logged <= CONNECTION_LINES * summaries


@pytest.mark.parametrize(("line", "sent"), [(b"x", 1000), (b"x" * 10_000, 100)])
def test_what_was_not_logged_is_counted_at_the_end_of_the_connection(serve, line, sent):
    with serve("--log-lines") as server:
        with connect(server.port) as sock:
            sock.sendall((line + b"\n") * sent + b"rest")
            sock.shutdown(socket.SHUT_WR)
            receive_all(sock)
        server.log.wait_for("disconnected")
        log = server.stop()
    logged, counted, summaries = logged_and_counted(log, f"b'{line.decode()}'")
    assert logged + counted == sent + 1
    # A line of 10,000 bytes counts as ten.
    assert logged <= CONNECTION_LINES * summaries / (1 if len(line) == 1 else 10)
    assert re.search(r"more lines in the last .*\n.* disconnected: ", log)


def test_many_connections_have_a_budget_together(serve):
    with serve("--log-lines") as server, ExitStack() as stack:
        socks = [stack.enter_context(connect(server.port)) for _ in range(30)]
        for sock in socks:
            sock.sendall(b"line\n" * CONNECTION_LINES)
        for sock in socks:
            receive_exactly(sock, 5 * CONNECTION_LINES)
        log = server.stop()
    logged, counted, _ = logged_and_counted(log, "b'line'")
    assert logged + counted == CONNECTION_LINES * len(socks)
    assert SERVER_LINES <= logged < CONNECTION_LINES * len(socks)
