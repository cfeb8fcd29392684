"""The registry: it knows every connection of any protocol, tells its observers, and drains."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from time import monotonic

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Protocol

from echoproto.server import drain as drain_module
from echoproto.server import ending
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.listener import Listener, make_listener
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.running import Recorder
from reactor.tls_peer import TLSPeer
from support import DEADLINE, receive_all, receive_exactly

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MUCH = b"x" * 8_000_000  # more than all the buffers between
TCP = "tcp:0:interface=127.0.0.1"


class Observer:
    """Records its notifications in a list that observers may share."""

    def __init__(self, name="", told=None):
        self.name = name
        self.calls = [] if told is None else told
        self.reasons = []

    def connected(self, connection):
        self.calls.append(f"{self.name}{connection.number} connected")

    def telnet_started(self, connection):
        self.calls.append(f"{self.name}{connection.number} telnet")

    def disconnected(self, connection, reason):
        self.calls.append(f"{self.name}{connection.number} disconnected")
        self.reasons.append(reason.value)


class Refusing(Observer):
    """A limit: it closes, or aborts, what it does not want."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def connected(self, connection):
        super().connected(connection)
        getattr(connection, self.how)()


class Plain(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class Ends(EchoProtocol):
    """Knows whether it was told of its end."""

    is_told = False

    def __init__(self):
        super().__init__()
        Ends.last = self

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.is_told = True


def listen(running, protocol, observers=(), where=TCP, *, twisteds=False):
    """A registry, and the port that it watches."""
    registry = Registry(observers)
    listener = make_listener(running.reactor, where)
    if twisteds:
        listener = Listener(where, serverFromString(running.reactor, where))
    factory = running.keep(LineFactory(protocol, registry, listener.tls))
    return registry, running.call(listener.endpoint.listen, factory)


def lost(running, connection):
    """Wait until the connection is gone, whatever its protocol: its registry forgets it last."""
    gone = Deferred()

    def look():
        if connection in connection.factory.registry.connections:
            running.reactor.callLater(0.001, look)
        else:
            gone.callback(None)
        return gone

    running.call(look)


@pytest.mark.parametrize("protocol", [Plain, EchoProtocol])
def test_it_knows_the_connections_of_any_protocol_and_numbers_them_from_1(running, protocol):
    registry, port = listen(running, protocol)
    clients = [running.connect(port) for _ in range(3)]
    connections = [running.accepted() for _ in clients]
    assert set(registry.connections) == set(connections)
    assert sorted(connection.number for connection in connections) == [1, 2, 3]
    assert len({connection.opened for connection in connections}) == 3
    for client in clients:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
    assert [connection.bytes_received for connection in connections] == [5, 5, 5]
    clients[0].shutdown(socket.SHUT_WR)
    assert receive_all(clients[0]) == b""
    gone = next(each for each in connections if each.number == 1)
    lost(running, gone)
    assert set(registry.connections) == set(connections) - {gone}
    running.connect(port)
    assert running.accepted().number == 4


@pytest.mark.parametrize("method", ["connected", "telnet_started", "disconnected"])
def test_an_observer_that_raises_loses_only_its_connection(running, method):
    def fail(*_):
        raise ZeroDivisionError

    failing, other = Observer(), Observer()
    setattr(failing, method, fail)
    _, port = listen(running, Ends, [failing, other])
    with suppress(OSError):  # reset, perhaps at once
        client = running.connect(port)
        client.sendall(b"\xff\xfb\x01")
        client.shutdown(socket.SHUT_WR)
        receive_all(client)
    connection, protocol = running.accepted(), Ends.last
    lost(running, connection)
    assert [type(error) for error in running.logged()] == [ZeroDivisionError]
    assert other.calls[0] == "1 connected"
    assert other.calls[-1] == "1 disconnected"
    assert protocol.is_told == (method != "connected")


def test_every_observer_is_told_of_everything_in_its_order(running):
    told = []
    observers = [Observer("a", told), Observer("b", told)]
    _, port = listen(running, EchoProtocol, observers)
    client = running.connect(port)
    connection = running.accepted()
    client.sendall(b"\xff\xfb\x01")
    receive_exactly(client, 3)
    client.shutdown(socket.SHUT_WR)
    receive_all(client)
    lost(running, connection)
    assert told == [
        *["a1 connected", "b1 connected", "a1 telnet", "b1 telnet"],
        *["a1 disconnected", "b1 disconnected"],
    ]
    assert isinstance(observers[0].reasons[0], ConnectionDone)


class NeverKnows(LineProtocol):
    """It is not notified of refused connections."""

    calls: list[str]

    def makeConnection(self, transport):  # noqa: ARG002
        self.calls.append("made")

    def dataReceived(self, data):  # noqa: ARG002
        self.calls.append("data")

    def readConnectionLost(self):
        self.calls.append("read lost")

    def connectionLost(self, reason):  # noqa: ARG002
        self.calls.append("lost")

    def telnetStarted(self):
        self.calls.append("telnet")


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
@pytest.mark.parametrize("kind", ["tcp", "telnet", "haproxy", "tls", "twisted's tls"])
def test_a_protocol_never_knows_of_a_connection_that_an_observer_refuses(
    running, certificate, kind, how
):
    where = {"haproxy": f"haproxy:{TCP}"}.get(kind, TCP)
    if "tls" in kind:
        where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    before, refusing, after = Observer(), Refusing(how), Observer()
    never_knows = type(
        "Never", (NeverKnows,), {"calls": [], "telnet": "always" if kind == "telnet" else "auto"}
    )
    registry, port = listen(
        running, never_knows, [before, refusing, after], where, twisteds="twisted" in kind
    )
    try:
        client = running.connect(port)
        client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello\r\n\xff\xfb\x01")
        client.shutdown(socket.SHUT_WR)
        receive_all(client)
    except OSError:
        pass  # reset: at once, or for what was sent to it
    connection = running.accepted()
    lost(running, connection)
    assert never_knows.calls == []
    for observer in (before, refusing, after):
        assert observer.calls == ["1 connected", "1 disconnected"]
    assert connection.closed_by_us
    assert not registry.connections


# Draining


@pytest.fixture
def quick(monkeypatch):
    """What drains, drains soon."""
    monkeypatch.setattr(drain_module, "DRAIN_IDLE", 0.03)
    monkeypatch.setattr(drain_module, "DRAIN_TIMEOUT", 0.5)
    monkeypatch.setattr(drain_module, "STALL", 0.7)
    monkeypatch.setattr(ending, "LINGER", 0.5)


@pytest.fixture
def soon(monkeypatch):
    """The same, but a connection has all the time that it takes."""
    monkeypatch.setattr(drain_module, "DRAIN_IDLE", 0.03)


def draining(running, registry):
    """Begin to drain; a function that waits until that is done."""
    done = []
    running.call(
        lambda: done.append(Deferred.fromCoroutine(registry.drain(running.reactor))) or None
    )
    return lambda: running.call(lambda: done[0])


def test_with_no_connection_there_is_nothing_to_drain(running):
    registry, _ = listen(running, EchoProtocol)
    draining(running, registry)()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("protocol", [Plain, EchoProtocol])
def test_what_is_idle_is_closed_and_what_is_in_flight_is_delivered(running, protocol):
    observer = Observer()
    registry, port = listen(running, protocol, [observer])
    idle, busy = running.connect(port), running.connect(port)
    connections = [running.accepted(), running.accepted()]
    running.call(next(c for c in connections if c.number == 2).write, MUCH)
    wait = draining(running, registry)
    assert receive_all(idle) == b""
    assert registry.connections  # the busy one
    assert receive_all(busy) == MUCH
    wait()
    assert not registry.connections
    assert all(isinstance(reason, ConnectionDone) for reason in observer.reasons)


@pytest.mark.usefixtures("quick")
def test_a_peer_that_never_reads_can_still_read_what_the_system_has(running):
    observer = Observer()
    registry, port = listen(running, Recorder, [observer])
    client = running.connect(port)
    client.sendall(b"x" * 100_000)  # some of which is unread when the connection ends
    running.call(running.accepted().write, MUCH)
    draining(running, registry)()
    assert 0 < len(receive_all(client)) < len(MUCH)
    assert isinstance(observer.reasons[0], ConnectionAborted)
    assert not registry.connections


@pytest.mark.usefixtures("quick")
def test_a_protocol_that_has_paused_gets_no_more_and_its_peer_the_end(running):
    observer = Observer()
    registry, port = listen(running, Recorder, [observer])
    client = running.connect(port)
    running.call(running.accepted().pauseProducing)
    client.sendall(b"hello")
    draining(running, registry)()
    assert receive_all(client) == b""
    assert isinstance(observer.reasons[0], ConnectionDone)
    assert not registry.connections


@pytest.mark.usefixtures("quick")
def test_a_peer_that_reads_slowly_gets_everything(running):
    registry, port = listen(running, Recorder)
    client = running.connect(port)
    running.call(running.accepted().write, MUCH)
    wait = draining(running, registry)
    received, started = 0, monotonic()
    while data := client.recv(1 << 16):
        received += len(data)
        # Slowly: it takes several times as long as a connection may stand still.
        select.select([], [], [], max(received / len(MUCH) * 3 - (monotonic() - started), 0))
    assert received == len(MUCH)
    wait()


@pytest.mark.parametrize("twisteds", [False, True], ids=["ours", "twisted"])
@pytest.mark.parametrize("answers", [True, False])
def test_a_tls_connection_drains_with_close_notify(
    running, certificate, monkeypatch, twisteds, answers
):
    monkeypatch.setattr(drain_module, "DRAIN_IDLE", 0.03)
    if not answers:
        monkeypatch.setattr(drain_module, "DRAIN_TIMEOUT", 0.3)
    where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    registry, port = listen(running, EchoProtocol, [], where, twisteds=twisteds)
    peer = TLSPeer(running.connect(port))
    peer.handshake()
    peer.sendall(b"hello")
    assert peer.receive_exactly(5) == b"hello"
    wait = draining(running, registry)
    assert peer.receive_all() == b""
    assert peer.is_clean
    if answers:
        peer.notify_close()
        assert receive_all(peer.sock) == b""
    wait()
    assert not registry.connections


@pytest.mark.usefixtures("quick")
def test_a_peer_that_reads_slowly_gets_the_echo_of_all_that_was_in_flight(running):
    registry, port = listen(running, EchoProtocol)
    client = running.connect(port)
    running.accepted()
    sent = fill(client)
    wait = draining(running, registry)
    received, started = 0, monotonic()
    while received < sent:
        # Slowly: what was in flight takes several times as long as one that goes on sending gets.
        select.select([], [], [], max(received / sent * 2 - (monotonic() - started), 0))
        data = client.recv(1 << 16)
        assert data
        received += len(data)
    assert client.recv(1) == b""
    client.close()
    wait()


def fill(client):
    """Send until every buffer on the way is full; the number of bytes sent."""
    client.settimeout(0.2)
    sent = 0
    with suppress(TimeoutError):
        while True:
            sent += client.send(b"x" * 65536)
    client.settimeout(DEADLINE)
    return sent


@pytest.mark.usefixtures("quick")
def test_a_peer_that_keeps_sending_gets_its_echoes_and_the_end(running):
    observer = Observer()
    registry, port = listen(running, EchoProtocol, [observer])
    client = running.connect(port)
    running.accepted()
    wait = draining(running, registry)
    received, count = b"", 0
    client.settimeout(0.01)  # the interval at which it sends
    deadline = monotonic() + DEADLINE
    while True:
        assert monotonic() < deadline, "it is served for ever"
        client.sendall(b"line %d\n" % count)
        count += 1
        try:
            data = client.recv(1 << 16)
        except TimeoutError:
            continue
        if not data:
            break
        received += data
    lines = received.decode().splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]
    assert 10 < len(lines) < count
    client.close()
    wait()
    assert isinstance(observer.reasons[0], ConnectionDone)


@pytest.mark.usefixtures("quick")
def test_a_peer_that_keeps_sending_for_ever_does_not_keep_the_service(running):
    registry, port = listen(running, EchoProtocol)
    client = running.connect(port)
    running.accepted()
    wait = draining(running, registry)
    client.settimeout(0.01)
    ended = False
    deadline = monotonic() + DEADLINE
    with suppress(BrokenPipeError, ConnectionResetError):
        while True:
            assert monotonic() < deadline, "it is not reset"
            client.sendall(b"x")
            with suppress(TimeoutError):
                ended = client.recv(1 << 16) == b"" or ended
    assert ended
    wait()
    assert not registry.connections
