"""A connection whose peer, transport and protocol are the test's."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, IHandshakeListener
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.server.protocol import LineProtocol
from echoproto.wire.layer import Reply
from telnet_bytes import EOF, HELLO, NOP

FIN = object()


class BoomError(Exception):
    """What a protocol raises."""


@implementer(IHalfCloseableDescriptor)
class Wire(StringTransport):
    """A transport whose peer, and whose reactor's next turn, are the test's."""

    def __init__(self):
        super().__init__()
        self.reactor = Clock()
        self.arriving = []  # chunks, and FIN
        self.reset = self.aborting = self.lost = False
        self.half_closed = None  # then False, and True once that was told
        self.raised = []

    # What a connection calls; real transports do not mind what is called when

    def pauseProducing(self):
        self.producerState = "paused"

    def resumeProducing(self):
        if not (self.disconnecting or self.aborting):
            self.producerState = "producing"

    def stopProducing(self):
        self.loseConnection()

    def registerProducer(self, producer, streaming):
        if self.lost:
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self):
        self.producer = None

    def loseWriteConnection(self):
        if self.half_closed is None:
            self.half_closed = False

    def abortConnection(self):
        self.aborting = True

    # What the reactor does

    def turn(self):
        """One thing that a reactor would do; False if there is none."""
        if self.lost:
            return False
        if self.aborting:
            self.lose(ConnectionAborted())
        elif self.disconnecting:
            self.lose(ConnectionDone())
        elif self.reset:
            self.lose(ConnectionLost())
        elif self.half_closed is False:
            self.half_closed = True
            self.call(self.protocol.writeConnectionLost)
        elif self.arriving and self.producerState == "producing":
            arrived = self.arriving.pop(0)
            if arrived is FIN:
                self.call(self.protocol.readConnectionLost)
            else:
                self.call(self.protocol.dataReceived, arrived)
        else:
            return False
        return True

    def call(self, function, *args):
        """Call, as a reactor does: what is raised loses the connection."""
        try:
            function(*args)
        except BoomError:
            self.lose(Failure())

    def lose(self, reason):
        if not self.lost:
            self.lost, self.producer = True, None
            with suppress(BoomError):  # which a reactor logs
                self.protocol.connectionLost(
                    reason if isinstance(reason, Failure) else Failure(reason)
                )

    def settle(self):
        while self.turn():
            pass


@implementer(IHandshakeListener)
class Scripted(LineProtocol):
    """In its nth callback it does what its script says of it; it checks the rules."""

    def __init__(self, script, telnet, *, stays_open=False):
        self.script = dict(enumerate(script))
        self.telnet = telnet
        self.stays_open = stays_open
        self.numbers = count()
        self.delivered = []
        self.calls = self.lost = 0
        self.is_closed = False
        self.has_raised = False

    def connectionMade(self):
        self.act()

    def lineReceived(self, line):
        self.deliver(line)

    def telnetCommandReceived(self, command):
        if command == NOP[1]:
            self.deliver(NOP)

    def handshakeCompleted(self):
        assert not self.lost
        self.act()

    def deliver(self, what):
        assert not self.is_closed, "delivered after the end"
        assert not self.transport.paused, "delivered while paused"
        self.delivered.append(what)
        self.act()

    def peerHalfClosed(self):
        assert not self.is_closed, "told after the end"
        assert not self.transport.paused, "told while paused"
        self.calls += 1
        self.act()
        if not self.stays_open:
            super().peerHalfClosed()

    def connectionLost(self, reason):  # noqa: ARG002
        self.lost += 1
        self.is_closed = True
        self.act()

    def act(self):
        for action in self.script.pop(next(self.numbers), ()):
            self.do(action)

    def do(self, action):
        transport = self.transport
        match action:
            case "pause":
                self.pauseProducing()
            case "resume":
                self.resumeProducing()
            case "blink":
                transport.pauseProducing()
                transport.resumeProducing()
            case "write":
                transport.write(b"answer")
            case "close":
                self.is_closed = True
                transport.loseConnection()
            case "abort":
                self.is_closed = True
                transport.abortConnection()
            case "stop":
                self.is_closed = True
                self.stopProducing()
            case "half-close":
                transport.loseWriteConnection()
            case "raise":
                self.has_raised = True
                raise BoomError


class Peer:
    """Sends lines that are numbered, and telnet's NOP between them."""

    def __init__(self, wire, *, telnet=False, tls=None):
        self.wire = wire
        self.telnet = telnet
        self.tls = tls
        self.numbers = count()
        self.sent = []  # what counts: up to telnet's EOF
        self.counts = True
        self.has_ended = self.wants_to_end = False

    def do(self, action):
        if self.has_ended or self.wants_to_end:
            return
        match action:
            case "line":
                self.send(self.line())
            case "lines":
                self.send(self.line() + self.line() + self.line())
            case "mixed":
                self.send(self.line() + self.line() + self.nop() + self.line() + self.nop())
            case "EOF" if self.telnet:
                line = self.line()
                self.send(line + EOF + b"more\r\n" + HELLO + b"more\r\n")
                self.counts = False
            case "FIN":
                self.wants_to_end = True
                if self.tls is None:
                    self.end()
                else:
                    self.put(self.tls.finish())
                    if self.tls.is_finished:
                        self.end()
            case "reset":
                self.wire.reset = self.has_ended = True

    def end(self):
        self.has_ended = True
        self.wire.arriving.append(FIN)

    def line(self):
        return self.counted(b"%d" % next(self.numbers)) + b"\r\n"

    def nop(self):
        return self.counted(NOP) if self.telnet else b""

    def counted(self, what):
        if self.counts:
            self.sent.append(what)
        return what

    def send(self, data):
        self.put(data if self.tls is None else self.tls.send(data))

    def put(self, wire):
        if wire:
            self.wire.arriving.append(wire)

    def answer(self):
        """What its TLS does with what it is sent."""
        if self.tls is not None:
            data = self.wire.value()
            self.wire.clear()
            for event in self.tls.receive(data):
                if isinstance(event, Reply):
                    self.put(event.data)
            if self.wants_to_end and self.tls.is_finished and not self.has_ended:
                self.end()


pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
