"""Real connections of every kind, for tests of how they end."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import Future

from twisted.internet.endpoints import serverFromString

from echoproto.server.factory import LineFactory
from echoproto.server.listener import Listener, make_listener
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from reactor.tls_peer import TLSPeer
from support import DEADLINE, connect, receive_all, receive_exactly
from telnet_bytes import HELLO, NO_THANKS, NOP

MUCH = b"x" * 8_000_000  # more than all the buffers between
SHORT = 0.1  # seconds that LINGER is made, where time is to be up

EVERYWHERE = ["tcp", "unix", "tls", "twisted's tls", "telnet", "telnet on tls"]
ON_TELNET = ["telnet", "telnet on tls"]
OVER_OUR_TLS = ["tls", "telnet on tls"]
ON_TLS = [*OVER_OUR_TLS, "twisted's tls"]
WITH_ROWS_OF_OUR_OWN = ["tcp", "unix", "tls", "telnet", "telnet on tls"]


class Recorder(LineProtocol):
    """Keeps what it is told, and answers each line; some lines it acts on."""

    stays_open = False

    def connectionMade(self):
        self.calls = []
        self.lost = Future()
        self.waits = {}

    def tell(self, what):
        assert "lost" not in self.calls
        assert not self.transport.paused
        self.calls.append(what)
        if not self.future(what).done():
            self.future(what).set_result(None)

    def future(self, what):
        return self.waits.setdefault(what, Future())

    def lineReceived(self, line):
        self.tell(line)
        match line:
            case b"pause":
                self.pauseProducing()
            case b"hold":
                self.paused = True  # as a LineReceiver may: the transport reads on
            case b"close":
                self.sendLine(b"bye")
                self.transport.loseConnection()
            case b"half-close":
                self.transport.loseWriteConnection()
            case b"flood":
                self.transport.write(MUCH)
            case _:
                self.sendLine(line)

    def telnetCommandReceived(self, command):
        if command == NOP[1]:
            self.tell(NOP)

    def peerHalfClosed(self):
        self.tell("half-closed")
        if not self.stays_open:
            super().peerHalfClosed()

    def connectionLost(self, reason):
        self.calls.append("lost")
        self.lost.set_result(reason.value)


class StaysOpen(Recorder):
    stays_open = True


class Client:
    """The peer of a connection of one kind."""

    def __init__(self, sock, kind):
        self.sock = sock
        self.tls = TLSPeer(sock) if "tls" in kind else None
        if self.tls:
            self.tls.handshake()
        if "telnet" in kind:
            self.send(HELLO)
            self.hears(NO_THANKS)

    def send(self, data):
        (self.tls or self.sock).sendall(data)

    def hears(self, data):
        if self.tls:
            assert self.tls.receive_exactly(len(data)) == data
        else:
            assert receive_exactly(self.sock, len(data)) == data

    def hears_the_end(self):
        """All that comes until the server has ended its side, cleanly."""
        if not self.tls:
            return receive_all(self.sock)
        data = self.tls.receive_all()
        assert self.tls.is_clean
        return data

    def end(self):
        """Half-close."""
        if self.tls:
            self.tls.notify_close()
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class World:
    """A kind of connection on a reactor."""

    def __init__(self, running, kind, certificate, folder):
        self.running, self.kind = running, kind
        self.is_tls = "tls" in kind
        self.is_telnet = "telnet" in kind
        self._certificate, self._folder = certificate, folder
        self._clients = []
        self._ports = 0

    def dial(self, protocol=Recorder):
        """A client, and its protocol."""
        return self.client(protocol, self.running.keep), self.running.served()

    def client(self, protocol, keep=lambda factory: factory):
        """A client. What serves it is kept only if `keep` keeps the factory."""
        self._ports += 1
        path = self._folder / f"{self._ports}.sock"
        where = f"unix:{path}" if self.kind == "unix" else "tcp:0:interface=127.0.0.1"
        if self.is_tls:
            where = f"ssl:0:interface=127.0.0.1:privateKey={self._certificate}"
        listener = make_listener(self.running.reactor, where)
        if self.kind == "twisted's tls":
            listener = Listener(where, serverFromString(self.running.reactor, where))
        assert (listener.tls is not None) == (self.kind in OVER_OUR_TLS)
        factory = keep(LineFactory(protocol, Registry(), listener.tls))
        port = self.running.call(listener.endpoint.listen, factory)
        if self.kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            self._clients.append(sock)
            sock.settimeout(DEADLINE)
            sock.connect(str(path))
        else:
            sock = connect(self.running.call(port.getHost).port)
            self._clients.append(sock)
        return Client(sock, self.kind)

    def close(self):
        for sock in self._clients:
            sock.close()

    def call(self, function, *args):
        return self.running.call(function, *args)

    def waits_for(self, protocol, what):
        """Wait until the protocol was told it."""
        self.call(protocol.future, what).result(DEADLINE)

    def is_lost(self, protocol, *kinds):
        """Wait until the connection is lost, for one of these reasons."""
        why = protocol.lost.result(DEADLINE)
        if kinds and self.kind != "twisted's tls":  # which makes a reason of its own
            assert isinstance(why, kinds), why
        assert protocol.calls.count("lost") == 1
        assert protocol.calls.count("half-closed") <= 1
        return [what for what in protocol.calls if what != "lost"]
