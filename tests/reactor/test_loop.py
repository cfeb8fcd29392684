"""What the loop watches: sockets that are not connections of ours."""

from __future__ import annotations

import socket
from concurrent.futures import Future

from twisted.internet.protocol import DatagramProtocol

from reactor.running import only_uvloop
from support import DEADLINE


def test_udp_echoes(running):
    class Echo(DatagramProtocol):
        noisy = False

        def datagramReceived(self, datagram, addr):
            self.transport.write(datagram, addr)

    port = running.call(lambda: running.reactor.listenUDP(0, Echo(), interface="127.0.0.1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", port.getHost().port))
        client.send(b"hello")
        assert client.recv(100) == b"hello"
    running.call(port.stopListening)


@only_uvloop
def test_a_connected_udp_port_hears_on_after_it_was_refused(running):
    # Twisted's epoll reactor takes the refusal for the loss of the port.
    class Asks(DatagramProtocol):
        noisy = False

        def connectionRefused(self):
            self.refused.set_result(None)

        def datagramReceived(self, datagram, _):
            self.received.set_result(datagram)

    protocol = Asks()
    protocol.refused, protocol.received = Future(), Future()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        number = reserved.getsockname()[1]
    port = running.call(lambda: running.reactor.listenUDP(0, protocol, interface="127.0.0.1"))
    running.call(protocol.transport.connect, "127.0.0.1", number)
    running.call(protocol.transport.write, b"anyone?")
    protocol.refused.result(DEADLINE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", number))
        peer.sendto(b"yes", ("127.0.0.1", port.getHost().port))
        assert protocol.received.result(DEADLINE) == b"yes"
    running.call(port.stopListening)
