"""One turn of the reactor handles only so much of what a client sends; then others follow."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future
from contextlib import suppress

import pytest
from twisted.internet.task import Clock

from attacked_connection import Wire
from echoproto.server.backpressure import MAX_TURN_INPUT, TURN_BUDGET
from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from echoproto.server.wrappers import HalfCloseForwarder
from echoproto.wire.framing import MAX_BLOCK
from echoproto.wire.tls import TLS
from reactor.tls_peer import TLSPeer
from support import DEADLINE, connect, receive_exactly
from telnet_bytes import AYT, EC, HELLO, IAC, NO_THANKS, NOP, SB, SE, WILL

pytestmark = pytest.mark.long

CHUNK = 256 * 1024  # as much as uvloop reads at a time
MANY = 32 * 1024


class Turns(Clock):
    """Each turn takes a second."""

    def callLater(self, when, *args):
        return super().callLater(when or 1, *args)


class Counts(LineProtocol):
    """Counts the calls of its methods."""

    calls = 0

    def lineReceived(self, line):  # noqa: ARG002
        self.calls += 1

    def telnetCommandReceived(self, command):  # noqa: ARG002
        self.calls += 1


class Toggles(Counts):
    """Takes a line, and then raw data, of which it takes a byte."""

    def lineReceived(self, line):
        super().lineReceived(line)
        self.setRawMode()

    def rawDataReceived(self, data):
        self.calls += 1
        self.setLineMode(data[1:])


class Delimits(Counts):
    def lineReceived(self, line):
        super().lineReceived(line)
        self.delimiter = b"\n" if self.calls % 2 else b"\r\n"


class TooLong(Counts):
    MAX_LENGTH = 1

    def lineLengthExceeded(self, line):  # noqa: ARG002
        self.calls += 1


def served(protocol, first=b""):
    wire = Wire()
    wire.reactor = Turns()
    connection = ServerConnection(protocol)
    wire.protocol = connection
    connection.makeConnection(wire)
    if first:
        connection.dataReceived(first)
    return wire, connection


FLOODS = {
    "lines": (Counts, b"", b"\n"),
    "two lines, and part of a third": (Counts, b"", b"a\nb\nc"),
    "lines between commands": (Counts, HELLO, b"\n" * 200 + NOP),
    "lines that are too long": (TooLong, b"", b"xxxx\r\n"),
    "raw data and lines": (Toggles, b"", b"\n"),
    "a delimiter for each line": (Delimits, b"", b"\r\n"),
    "commands": (Counts, HELLO, NOP),
    "commands and data": (Counts, HELLO, b"x" + EC),
    "questions": (Counts, HELLO, AYT),
}


@pytest.mark.parametrize(("kind", "first", "piece"), FLOODS.values(), ids=FLOODS)
def test_a_turn_handles_so_many_lines_and_events(kind, first, piece):
    protocol = kind()
    wire, connection = served(protocol, first)
    protocol.calls = 0
    sent = piece * (MANY // len(piece))
    connection.dataReceived(sent)
    turns = [protocol.calls]
    while wire.producerState == "paused":
        wire.reactor.advance(1)
        turns.append(protocol.calls - sum(turns))
    assert len(turns) > 10
    assert max(turns) <= 2 * TURN_BUDGET

    everything = kind()
    other, unpaused = served(everything, first)
    del other.reactor  # without one there are no turns
    everything.calls = 0
    unpaused.dataReceived(sent)
    assert sum(turns) == everything.calls


SILENT = {
    "data": b"x",
    "empty subnegotiations": SB + SE,
    "subnegotiations without end": SB + b"\x18" + (b"x" + IAC + IAC) * 1000,
    "refused options": IAC + WILL + b"\x99",
    "line ends": b"\r",
}


@pytest.mark.parametrize("piece", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("end", [False, True], ids=["goes on", "ends"])
def test_a_turn_passes_only_so_much_to_the_layers(piece, end):
    whole, parts = [], []
    sent = (piece * CHUNK)[:CHUNK]
    for size, writes in ((len(sent), parts), (MAX_TURN_INPUT // 2, whole)):
        wire, connection = served(EchoProtocol(), HELLO)
        for start in range(0, len(sent), size):
            connection.dataReceived(sent[start : start + size])
            while connection.paused:
                writes.append(len(wire.value()))
                wire.reactor.advance(1)
        if end:
            connection.readConnectionLost()
        writes.append(wire.value())
        assert wire.disconnecting == end
    assert parts[-1] == whole[-1]
    assert len(parts) >= CHUNK // MAX_TURN_INPUT


def test_an_end_that_is_known_early_comes_after_all_data():
    wire, connection = served(EchoProtocol(), HELLO)
    wire.clear()
    sent = b"x" * CHUNK + b"last"
    connection.dataReceived(sent)
    assert connection.paused
    connection.readConnectionLost()
    assert not wire.disconnecting
    while connection.paused:
        wire.reactor.advance(1)
    assert wire.value() == sent
    assert wire.disconnecting


def test_a_client_that_turns_out_to_be_plain_in_a_long_chunk_loses_nothing():
    wire, connection = served(EchoProtocol())
    sent = b"x" + IAC + b"y" + b"z" * CHUNK
    connection.dataReceived(sent)
    while connection.paused:
        wire.reactor.advance(1)
    connection.dataReceived(b"more")
    assert wire.value() == sent + b"more"
    assert connection.stack is None


@pytest.mark.parametrize("end", [b"\n", b"\r\0", b"\r\n"])
@pytest.mark.parametrize("first", [b"", HELLO], ids=["plain", "telnet"])
def test_mode_line_takes_turns(end, first):
    wire, connection = served(EchoProtocol("line"), first)
    wire.clear()
    connection.dataReceived(end * (CHUNK // len(end)))
    echoed = [len(wire.value())]
    while connection.paused:
        wire.reactor.advance(1)
        echoed.append(len(wire.value()))
    assert len(echoed) >= CHUNK // MAX_BLOCK
    assert wire.value() == (b"\r\n" if first else end) * (CHUNK // len(end))


class Below:
    """Stands in for Twisted's TLS."""

    def __init__(self):
        self.received = []

    def dataReceived(self, data):
        self.received.append(data)


def test_twisteds_tls_gets_so_much_in_a_turn_and_the_end_after_it():
    protocol, below = Counts(), Below()
    wire, connection = served(protocol)
    connection._forwarder = HalfCloseForwarder(below, connection, holds=True, after_cr=False)
    sent = bytes(range(256)) * (CHUNK // 256)
    connection._forwarder.dataReceived(sent)
    connection._forwarder.readConnectionLost()
    for turn in range(1, CHUNK // MAX_TURN_INPUT):
        assert b"".join(below.received) == sent[: turn * MAX_TURN_INPUT]
        assert not connection.read_lost
        wire.reactor.advance(1)
    assert b"".join(below.received) == sent
    assert connection.read_lost


def test_a_protocol_that_pauses_between_two_turns_stays_paused():
    protocol = Counts()
    wire, connection = served(protocol)
    connection.dataReceived(b"\n" * 1000)
    protocol.pauseProducing()
    wire.reactor.advance(1)
    assert protocol.calls == TURN_BUDGET
    protocol.resumeProducing()
    while wire.producerState == "paused":
        wire.reactor.advance(1)
    assert protocol.calls == 1000


def test_a_connection_that_is_lost_between_two_turns_delivers_nothing_more():
    protocol = Counts()
    wire, connection = served(protocol)
    connection.dataReceived(b"\n" * 1000)
    wire.lose(ConnectionError())
    wire.reactor.advance(1)
    assert protocol.calls == TURN_BUDGET
    assert not wire.reactor.getDelayedCalls()


class Raises(Counts):
    def __init__(self):
        self.lost = Future()

    def lineReceived(self, line):
        super().lineReceived(line)
        if line == b"raise":
            raise ZeroDivisionError

    def connectionLost(self, reason):
        self.lost.set_result(reason.value)


@pytest.mark.parametrize("count", [0, TURN_BUDGET], ids=["in the first turn", "in a later turn"])
@pytest.mark.parametrize("tls", ["", "our TLS"], ids=["plain", "our TLS"])
def test_a_protocol_that_raises_loses_its_connection_in_each_turn(running, contexts, count, tls):
    ours, _ = contexts
    factory = running.keep(LineFactory(Raises, Registry(), tls=ours if tls else None))
    client = running.connect(running.listen(factory))
    protocol = running.served()
    if tls:
        client = TLSPeer(client)
        client.handshake()
    client.sendall(b"\n" + b"\n" * count + b"raise\nmore\n")
    assert isinstance(protocol.lost.result(DEADLINE), ZeroDivisionError)
    assert protocol.calls == 1 + count + 1
    assert [type(error) for error in running.logged()] == [ZeroDivisionError]


class Aborts(Counts):
    def lineReceived(self, line):
        super().lineReceived(line)
        self.setRawMode()

    def rawDataReceived(self, data):
        self.transport.abortConnection()
        self.setLineMode(data)


def test_no_line_is_delivered_after_an_abort_from_raw_data():
    protocol = Aborts()
    _, connection = served(protocol)
    connection.dataReceived(b"one\ntwo\nthree\n")
    assert protocol.calls == 1
    protocol.setLineMode(b"four\n")
    assert protocol.calls == 1


def test_no_line_is_delivered_after_the_loss():
    class Clings(Counts):
        def connectionLost(self, reason):
            super().connectionLost(reason)
            self.resumeProducing()
            self.setLineMode(b"two\n")

    protocol = Clings()
    wire, connection = served(protocol)
    protocol.pauseProducing()
    connection.dataReceived(b"one\n")
    wire.lose(ConnectionError())
    protocol.setLineMode(b"three\n")
    assert protocol.calls == 0


def test_small_records_of_tls_take_turns(contexts):
    ours, theirs = contexts
    protocol = Counts()
    wire, connection = served(protocol)
    client = TLS(theirs, server_side=False)
    connection._add_stack().add_tls(TLS(ours, server_side=True))
    to_server = b"".join(event.data for event in client.receive(b""))
    while not client.is_established:
        connection.dataReceived(to_server)
        to_server = b"".join(
            event.data for event in client.receive(wire.value()) if hasattr(event, "data")
        )
        wire.clear()
    connection.dataReceived(to_server + b"".join(client.send(b"\n") for _ in range(2000)))
    turns = [protocol.calls]
    while wire.producerState == "paused":
        wire.reactor.advance(1)
        turns.append(protocol.calls - sum(turns))
    assert sum(turns) == 2000
    assert max(turns) <= 2 * TURN_BUDGET


@pytest.mark.parametrize(
    ("options", "first", "piece"),
    [
        ([], HELLO, b"a" + EC),
        (["--log-lines"], b"", b"\n"),
        (["--mode", "line"], b"", b"\r\0"),
    ],
    ids=["telnet", "log lines", "mode line"],
)
def test_signals_and_other_clients_get_their_turn_during_a_flood(options, first, piece, serve):
    with serve(*options) as server, connect(server.port) as hostile, connect(server.port) as other:
        if first:
            hostile.sendall(first)
            receive_exactly(hostile, len(NO_THANKS))
        flood = piece * (CHUNK // len(piece))

        def send():
            with suppress(OSError):
                while True:
                    hostile.sendall(flood)

        def read():
            with suppress(OSError):
                while hostile.recv(1 << 16):
                    pass

        threads = [threading.Thread(target=each) for each in (send, read)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            other.sendall(b"still there?\r\n")
            assert receive_exactly(other, 14) == b"still there?\r\n"
        server.process.send_signal(signal.SIGTERM)
        server.log.wait_for("Received SIGTERM")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        for thread in threads:
            thread.join(DEADLINE)
