"""Telnet clients and protocols, for the tests of the server."""

from __future__ import annotations

import selectors
import socket
from contextlib import contextmanager

from twisted.internet.testing import StringTransport

from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol
from support import DEADLINE, connect, receive_all, receive_exactly
from telnet_bytes import (
    HELLO,
    NO_THANKS,
)


class Client:
    """A connection; and another to the same server, to know when it has read the first."""

    def __init__(self, sock, other):
        self.sock = sock
        self._other = other

    def say(self, data):
        self.sock.sendall(data)

    def hears(self, data):
        """What comes next is this, and not more than this has come before it."""
        assert receive_exactly(self.sock, len(data)) == data

    def hears_nothing_but(self, data):
        """This comes next, and then nothing until something more is said."""
        self.hears(data)
        self.say(b"!")
        self.hears(b"!")

    def was_read(self):
        """Wait until the server has read everything sent; it serves ready clients in turn."""
        for _ in range(2):
            self._other.sendall(b"?\r\n")
            assert receive_exactly(self._other, 3) == b"?\r\n"

    def ends(self):
        """Half-close; all that comes until the server closes."""
        self.sock.shutdown(socket.SHUT_WR)
        return receive_all(self.sock)


@contextmanager
def dialled(server, *, telnet=False):
    with connect(server.port) as sock, connect(server.port) as other:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock, other)
        if telnet:
            client.say(HELLO)
            client.hears(NO_THANKS)
        yield client


def in_two(wire):
    """Each way to cut it once."""
    return [(wire[:cut], wire[cut:]) for cut in range(1, len(wire))]


def exchange(sock, data, *, every=0, do=None):
    """Send it all, half-close, and receive all meanwhile; `do` is done each `every` bytes."""
    got = bytearray()
    left = memoryview(data)
    done = 0
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while True:
            ready = selector.select(DEADLINE)
            assert ready, f"nothing more after {len(got)} bytes"
            if ready[0][1] & selectors.EVENT_READ:
                more = sock.recv(65536)
                if not more:
                    return bytes(got)
                got += more
            if left and ready[0][1] & selectors.EVENT_WRITE:
                left = left[sock.send(left[:65536]) :]
                if not left:
                    sock.shutdown(socket.SHUT_WR)
                    selector.modify(sock, selectors.EVENT_READ)
            if do and len(data) - len(left) >= done + every:
                done = len(data) - len(left)
                do()


class Recorder(LineProtocol):
    """Keeps what it is given; a line that names something to do does it."""

    def __init__(self):
        self.calls = []

    def lineReceived(self, line):
        self.calls.append(line)
        match line:
            case b"raw":
                self.setRawMode()
            case b"pause":
                self.pauseProducing()
            case b"blink":
                self.pauseProducing()
                self.resumeProducing()
            case b"blink raw":
                self.pauseProducing()
                self.resumeProducing()
                self.setRawMode()
            case b"close":
                self.transport.loseConnection()
            case b"fail":
                raise RuntimeError(line)

    def rawDataReceived(self, data):
        self.calls.append(("raw", data))
        if data.endswith(b"."):
            self.setLineMode()

    def windowSizeChanged(self, columns, rows):
        self.calls.append(("window", columns, rows))

    def terminalTypeReceived(self, name):
        self.calls.append(("terminal", name))

    def telnetOptionChanged(self, side, option, *, on):
        self.calls.append((side, option, on))

    def telnetCommandReceived(self, command):
        self.calls.append(("command", command))


def connected(protocol=None, *chunks):
    """Return a protocol that has received `chunks`, and its transport."""
    protocol = protocol or Recorder()
    wire = StringTransport()
    ServerConnection(protocol).makeConnection(wire)
    for chunk in chunks:
        protocol.transport.dataReceived(chunk)
    return protocol, wire


def echo(*chunks, mode="stream", **kwargs):
    """A protocol, and what it has sent for `chunks`."""
    protocol, wire = connected(EchoProtocol(mode, **kwargs), *chunks)
    return protocol, wire.value()
