"""Listening: addresses, stopping, throttling, sockets of others, running out of descriptors."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from twisted.internet import interfaces
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import makeBinding
from zope.interface.verify import verifyObject

from reactor.running import Recorder
from support import DEADLINE, connect, eventually, has_ipv6, start


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


def echoes(client):
    client.sendall(b"hello")
    return client.recv(10) == b"hello"


def interfaces_of_a_connection():
    names = ["ITransport", "ITCPTransport", "ITLSTransport", "IConsumer", "IPushProducer",
             "IHalfCloseableDescriptor", "ISystemHandle", "ILoggingContext"]  # fmt: skip
    return [getattr(interfaces, name) for name in names]


def test_a_connection_provides_what_twisteds_own_does(running):
    _, protocol = running.pair(Recorder)
    missing = [
        each for each in interfaces_of_a_connection() if not each.providedBy(protocol.transport)
    ]
    assert missing == []
    for interface in interfaces_of_a_connection():
        verifyObject(interface, protocol.transport)


def test_both_ends_know_each_others_address(running):
    client, protocol = running.pair(Recorder)
    port = protocol.transport.server
    assert running.call(protocol.transport.getHost) == IPv4Address("TCP", *client.getpeername())
    assert running.call(protocol.transport.getPeer) == IPv4Address("TCP", *client.getsockname())
    assert running.call(port.getHost) == running.call(protocol.transport.getHost)
    assert port.getHost().port in range(1, 65536)


def test_the_factory_is_told_the_clients_address(running):
    class Asks(Factory):
        noisy = False

        def buildProtocol(self, address):
            asked.append(address)
            return Echo()

    asked = []
    client = running.connect(running.listen(Asks()))
    assert echoes(client)
    assert asked == [IPv4Address("TCP", *client.getsockname())]


def test_the_options_of_the_socket_can_be_read_and_set(running):
    _, protocol = running.pair(Recorder)
    transport = protocol.transport
    for value in (True, False):
        running.call(transport.setTcpNoDelay, value)
        running.call(transport.setTcpKeepAlive, value)
        assert running.call(transport.getTcpNoDelay) is value
        assert running.call(transport.getTcpKeepAlive) is value
        handle = running.call(transport.getHandle)
        assert bool(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is value


def test_the_handle_is_the_connections_socket_and_ends_with_it(running):
    client, protocol = running.pair(Recorder)
    handle = running.call(protocol.transport.getHandle)
    assert handle.fileno() == running.call(protocol.transport.fileno)
    assert handle.getpeername() == client.getsockname()
    assert handle is running.call(protocol.transport.getHandle)
    client.close()
    protocol.why_lost()
    assert handle.fileno() == -1


def scoped():
    """The link-local address of an interface, with its scope."""
    with suppress(OSError), Path("/proc/net/if_inet6").open() as table:
        for line in table:
            address, _, _, scope, flags, name = line.split()
            if scope == "20" and not int(flags, 16) & 0x40 | (name == "lo"):
                host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
                return f"{host}%{name}"
    pytest.skip("no interface has a link-local IPv6 address")
    return None


def test_an_ipv6_address_has_its_scope(running):
    where = scoped()
    port = running.listen(Recorder, interface=where)
    number = running.call(port.getHost).port
    assert running.call(port.getHost).host == where
    with socket.create_connection((where, number), DEADLINE) as client:
        protocol = running.accepted()
        host = running.call(protocol.transport.getHost)
        peer = running.call(protocol.transport.getPeer)
        assert isinstance(peer, IPv6Address)
        assert (host.host, host.port) == (where, number)
        assert (peer.host, peer.port) == (where, client.getsockname()[1])


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_all_addresses_of_ipv6_are_those_of_ipv4_too(running):
    port = running.listen(Recorder, interface="::")
    number = running.call(port.getHost).port
    for host, expected in [("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1")]:
        with socket.create_connection((host, number), DEADLINE):
            peer = running.call(running.accepted().transport.getPeer)
            assert isinstance(peer, IPv6Address)
            assert peer.host == expected


def test_a_port_that_is_taken_cannot_be_listened_on(running):
    port = running.listen(Echo)
    number = running.call(port.getHost).port
    with pytest.raises(CannotListenError):
        running.call(lambda: running.reactor.listenTCP(number, Factory(), interface="127.0.0.1"))


def test_a_stopped_port_is_free_at_once_and_its_connections_stay(running):
    port = running.listen(Echo)
    number = running.call(port.getHost).port
    client = running.connect(port)
    assert echoes(client)
    running.call(port.stopListening)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number), DEADLINE)
    assert echoes(client)
    again = running.call(
        lambda: running.reactor.listenTCP(number, Factory.forProtocol(Echo), interface="127.0.0.1")
    )
    assert echoes(running.connect(again))


def test_a_factory_hears_of_its_first_and_last_port(running):
    class Hears(Factory):
        noisy = False

        def startFactory(self):
            told.append("start")

        def stopFactory(self):
            told.append("stop")

    told = []
    factory = Hears()
    ports = [running.listen(factory), running.listen(factory)]
    for port in ports:
        running.call(port.stopListening)
    assert told == ["start", "stop"]


def test_a_port_can_be_stopped_while_many_connect(running):
    class Counts(Factory):
        noisy = False
        stopped = False

        def stopFactory(self):
            self.stopped = True

        def buildProtocol(self, _):
            late.append(self.stopped)
            return Echo()

    def storm():
        while not over.is_set():
            with suppress(OSError), connect(number):
                pass

    late, over = [], Event()
    port = running.listen(Counts())
    number = running.call(port.getHost).port
    storms = [Thread(target=storm) for _ in range(4)]
    for each in storms:
        each.start()
    eventually(lambda: len(late) > 50, "clients")
    running.call(port.stopListening)
    over.set()
    for each in storms:
        each.join(DEADLINE)
    assert not any(late)


def test_a_port_that_does_not_read_leaves_clients_waiting(running):
    port = running.listen(Recorder)
    first = running.connect(port)
    running.accepted()
    running.call(port.stopReading)
    running.call(port.stopReading)
    second = running.connect(port)
    second.sendall(b"hello")
    for _ in range(3):
        running.call(lambda: None)
    assert running.made.empty()
    running.call(port.startReading)
    running.call(port.startReading)
    assert running.accepted()
    first.close()


def test_ports_may_share_a_number(running):
    def listen(number):
        binding = makeBinding("127.0.0.1", number, reusePort=True)
        return running.reactor.listenTCP(binding, running.factory(Echo), interface="127.0.0.1")

    first = running.call(listen, 0)
    second = running.call(listen, first.getHost().port)
    assert first.getHost() == second.getHost()
    for _ in range(20):
        assert echoes(running.connect(first))
    sessions = running.call(lambda: [first.sessionno, second.sessionno])
    assert sum(sessions) == 20
    assert all(sessions)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_listening_socket_can_be_adopted(running, family):
    if family == socket.AF_INET6 and not has_ipv6():
        pytest.skip("no IPv6")
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as given:
        given.setblocking(False)
        port = running.call(
            running.reactor.adoptStreamPort, given.fileno(), family, running.factory(Echo)
        )
        where = given.getsockname()
        assert running.call(port.getHost).port == where[1]
        with socket.create_connection(where[:2], DEADLINE) as client:
            assert echoes(client)
        running.call(port.stopListening)
        # It is still its owner's, and listens.
        given.settimeout(DEADLINE)
        with socket.create_connection(where[:2], DEADLINE):
            given.accept()[0].close()


def test_a_connected_socket_can_be_adopted(running):
    with socket.create_server(("127.0.0.1", 0)) as given:
        given.settimeout(DEADLINE)
        client = socket.create_connection(given.getsockname(), DEADLINE)
        server, _ = given.accept()
    server.setblocking(False)
    with client:
        running.call(running.reactor.adoptStreamConnection, server.fileno(), socket.AF_INET,
                     running.factory(Echo))  # fmt: skip
        server.close()
        assert echoes(client)


def test_a_unix_socket_can_be_listened_on(running, tmp_path):
    path = str(tmp_path / "socket")
    running.call(lambda: running.reactor.listenUNIX(path, running.factory(Echo)))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(path)
        assert echoes(client)


def processor_time(pid):
    """Seconds that a process has computed."""
    spent = Path(f"/proc/{pid}/stat").read_text().split()[13:15]
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


FULL = """
import resource, sys
from twisted.internet.protocol import Factory, Protocol
if sys.argv[1] == "uvloop":
    from echoproto.reactor.reactor import install
else:
    from twisted.internet.epollreactor import install
install()
from twisted.internet import reactor

class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
factory = Factory.forProtocol(Echo)
factory.noisy = False
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
"""


@pytest.mark.parametrize("kind", ["uvloop", "epoll"])
def test_where_descriptors_run_out_new_clients_are_closed_and_later_ones_served(kind):
    command = [sys.executable, "-c", FULL, kind]
    with ExitStack() as opened, start(*command) as server:
        port = int(server.stdout.readline())
        clients = [opened.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE))
                   for _ in range(60)]  # fmt: skip
        served = []
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(b"hello")
                if client.recv(10):
                    served.append(client)
        assert 10 < len(served) < 40
        before = processor_time(server.pid)
        assert all(echoes(client) for client in served)
        for client in served[:10]:
            client.close()

        def again():
            with (
                socket.create_connection(("127.0.0.1", port), DEADLINE) as late,
                suppress(ConnectionError),
            ):
                return echoes(late)
            return False

        eventually(again, "a client is served again")
        assert processor_time(server.pid) - before < 1  # it does not spin
