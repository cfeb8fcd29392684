"""`LineFactory` and `ServedFactory`: what they build for a connection, and for whom."""

from __future__ import annotations

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport

from echoproto.server.connection import ServerConnection
from echoproto.server.factory import LineFactory, ServedFactory
from echoproto.server.log import ConnectionLog
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import receive_all, receive_exactly

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


class Shout(LineProtocol):
    def lineReceived(self, line):
        self.sendLine(line.upper())


@pytest.mark.parametrize("make", [LineFactory, LineFactory.forProtocol])
def test_each_connection_has_a_protocol_of_its_own_that_knows_the_factory(running, make):
    factory = running.keep(make(Shout, Registry()))
    port = running.listen(factory)
    clients = [running.connect(port), running.connect(port)]
    connections = [running.accepted(), running.accepted()]
    for client, line in zip(clients, [b"one", b"two"], strict=True):
        client.sendall(line + b"\n")
        assert receive_exactly(client, 5) == line.upper() + b"\r\n"
    protocols = {connection.protocol for connection in connections}
    assert len(protocols) == 2
    assert {protocol.factory for protocol in protocols} == {factory}
    assert set(factory.registry.connections) == set(connections)


def test_with_a_context_every_connection_is_tls_from_its_first_byte(running, contexts):
    port = running.listen(running.keep(LineFactory(Shout, Registry(), tls=contexts[0])))
    peer = TLSPeer(running.connect(port))
    peer.handshake()
    peer.sendall(b"one\n")
    assert peer.receive_exactly(5) == b"ONE\r\n"


def test_a_factory_that_makes_no_protocol_refuses_the_connection(running):
    class Refusing(LineFactory):
        def makeProtocol(self, addr):
            asked.append(addr)

    asked = []
    factory = Refusing(Shout, Registry())
    client = running.connect(running.listen(factory))
    assert receive_all(client) == b""
    assert [address.port for address in asked] == [client.getsockname()[1]]
    assert not factory.registry.connections


def test_a_registry_that_is_not_given_is_one_of_the_factory_s_own_that_logs():
    registries = [LineFactory(Shout).registry, LineFactory(Shout).registry]
    assert registries[0] is not registries[1]
    for registry in registries:
        assert [type(observer) for observer in registry.observers] == [ConnectionLog]


# Serving the protocols of another factory


class Counted(Factory):
    """A factory that counts how often it is started and stopped."""

    protocol = Protocol
    noisy = False
    starts = stops = 0

    def startFactory(self):
        self.starts += 1

    def stopFactory(self):
        self.stops += 1


def test_the_factory_that_is_served_builds_the_protocols_and_stays_their_factory():
    theirs, registry = Counted(), Registry()
    connection = ServedFactory(theirs, registry).buildProtocol(None)
    connection.makeConnection(StringTransport())
    assert isinstance(connection, ServerConnection)
    assert type(connection.protocol) is Protocol
    assert connection.protocol.factory is theirs
    assert list(registry.connections) == [connection]


def test_the_factory_that_is_served_may_refuse_a_connection():
    class Refusing(Counted):
        def buildProtocol(self, addr):
            pass

    assert ServedFactory(Refusing(), Registry()).buildProtocol(None) is None


def test_the_factory_that_is_served_starts_with_the_first_port_and_stops_with_the_last(running):
    theirs = Counted()
    served = [ServedFactory(theirs, Registry()), ServedFactory(theirs, Registry())]
    ports = [running.listen(factory) for factory in served]
    assert (theirs.starts, theirs.stops) == (1, 0)
    running.call(ports[0].stopListening)
    assert (theirs.starts, theirs.stops) == (1, 0)
    running.call(ports[1].stopListening)
    assert (theirs.starts, theirs.stops) == (1, 1)


def test_in_twisted_s_log_it_has_the_name_of_the_public_factory():
    assert ServedFactory(Counted(), Registry()).logPrefix() == "LineFactory"
