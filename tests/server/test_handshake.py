"""The timeout of a TLS handshake: it cuts nobody but a peer that does not complete it."""

from __future__ import annotations

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater

from echoproto.server import handshake
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import receive_all
from tls_contexts import our_context

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MUCH = b"x" * 8_000_000


class ClosesAtOnce(LineProtocol):
    """Sends much, and closes before the handshake has completed."""

    def connectionMade(self):
        self.transport.write(MUCH)
        self.transport.loseConnection()


class Pauses(LineProtocol):
    """Answers each line, after it was resumed."""

    def connectionMade(self):
        self.transport.pauseProducing()

    def lineReceived(self, line):
        self.sendLine(line)


@pytest.fixture(params=["our TLS", "Twisted's TLS"])
def listen_tls(request, running, certificate):
    """Listens for a protocol on TLS, with a short timeout of handshakes; returns the port."""

    def listen(protocol):
        if request.param == "our TLS":
            context = our_context(certificate)
            return running.listen(running.keep(LineFactory(protocol, Registry(), tls=context)))
        where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
        factory = running.keep(LineFactory(protocol, Registry()))
        return running.call(serverFromString(running.reactor, where).listen, factory)

    return listen


def test_a_handshake_that_completes_after_we_have_closed_is_not_cut(
    running, listen_tls, monkeypatch
):
    monkeypatch.setattr(handshake, "HANDSHAKE_TIMEOUT", 0.2)
    peer = TLSPeer(running.connect(listen_tls(ClosesAtOnce)))
    peer.handshake()
    begun = peer.receive()
    running.call(deferLater, running.reactor, 0.4)
    assert begun + peer.receive_all() == MUCH


def test_a_pause_of_the_protocol_is_not_part_of_the_time_for_the_handshake(
    running, listen_tls, monkeypatch
):
    monkeypatch.setattr(handshake, "HANDSHAKE_TIMEOUT", 0.2)
    peer = TLSPeer(running.connect(listen_tls(Pauses)))
    protocol = running.served()
    running.call(deferLater, running.reactor, 0.5)
    running.call(protocol.transport.resumeProducing)
    peer.handshake()
    peer.sendall(b"one\n")
    assert peer.receive_exactly(5) == b"one\r\n"


def test_a_handshake_that_begins_on_a_lost_connection_leaves_no_timeout(running, certificate):
    client = running.connect(running.listen(running.keep(LineFactory(LineProtocol, Registry()))))
    connection = running.accepted()
    running.call(connection.abortConnection)
    with pytest.raises(ConnectionResetError):
        receive_all(client)
    running.call(connection.startTLS, our_context(certificate))
    pending = running.call(running.reactor.getDelayedCalls)
    assert [call for call in pending if "HandshakeTimeout" in str(call)] == []
