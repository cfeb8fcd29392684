"""A lost connection is freed at once, not when the garbage collector next runs."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from contextlib import contextmanager
from itertools import product
from queue import Queue

import pytest
from twisted.internet import tcp, unix
from twisted.internet._newtls import _BypassTLS
from twisted.protocols.policies import ProtocolWrapper

from echoproto.reactor.transport import TCPTransport
from echoproto.server.backpressure import Backpressure
from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.ending import Ending
from echoproto.server.protocol import LineProtocol
from echoproto.server.stack import Stack
from echoproto.server.telnet_layer import ServerTelnet
from echoproto.wire.tls import TLS
from ending_world import EVERYWHERE, World
from reactor.tls_peer import TLSPeer
from support import DEADLINE
from telnet_bytes import HELLO, NO_THANKS
from tls_contexts import our_context, twisteds_context

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

ROUNDS = 3

OURS = (
    TCPTransport,
    ServerConnection,
    Backpressure,
    Ending,
    Stack,
    ServerTelnet,
    TLS,
    LineProtocol,
)
TWISTEDS = (tcp.Server, unix.Server, ProtocolWrapper, _BypassTLS)


def alive():
    """How many objects there are of each type that a connection is made of."""
    return Counter(
        type(each).__name__ for each in gc.get_objects() if isinstance(each, OURS + TWISTEDS)
    )


@contextmanager
def all_is_freed(running, *, is_twisteds_tls):
    """What the block makes is gone after it, without the garbage collector.

    The block gets a class of protocols, and a function that waits until so many are freed.
    """
    freed = Queue()

    class Served(Forgets):
        def connectionMade(self):
            weakref.finalize(self, freed.put, None)

    def wait(count):
        for _ in range(count):
            freed.get(timeout=DEADLINE)

    gc.disable()
    gc.freeze()  # what exists is not looked at
    try:
        yield Served, wait
        running.call(lambda: None)  # the turn in which the last connection was lost has ended
        # In Twisted's TLS, an error of OpenSSL and the frame that has it refer to each other.
        assert is_twisteds_tls or not alive()
    finally:
        gc.unfreeze()
        gc.enable()


class Forgets(LineProtocol):
    """Its `connectionLost` calls no `super()`, as is usual."""

    def lineReceived(self, line):
        match line:
            case b"close":
                self.transport.loseConnection()
            case b"abort":
                self.transport.abortConnection()
            case b"flood":
                self.transport.write(b"x" * 8_000_000)
            case b"produce":
                self.transport.registerProducer(self, True)  # the protocol is its own producer
                self.transport.write(b"x" * 8_000_000)
            case _:
                self.sendLine(line)

    def connectionLost(self, reason):
        pass


WITH_A_PRODUCER = "cut off, with a producer"
ENDS = {
    "closed by the client": lambda client: client.close(),
    "reset by the client": lambda client: client.reset(),
    "half-closed": lambda client: (client.end(), client.hears_the_end(), client.close()),
    "closed by the server": lambda client: client.send(b"close\r\n"),
    "aborted": lambda client: client.send(b"abort\r\n"),
    WITH_A_PRODUCER: lambda client: (
        client.send(b"produce\r\n"),
        client.sock.recv(1),
        client.reset(),
    ),
    "cut off": lambda client: (client.send(b"flood\r\n"), client.sock.recv(1), client.reset()),
}


@pytest.mark.parametrize(
    ("kind", "end"),
    # Twisted's TLS keeps the producer, and this one is the protocol.
    [each for each in product(EVERYWHERE, ENDS) if each != ("twisted's tls", WITH_A_PRODUCER)],
)
def test_a_connection(running, kind, end, certificate, tmp_path):
    world = World(running, kind, certificate, tmp_path)
    is_twisteds_tls = kind == "twisted's tls"
    with all_is_freed(running, is_twisteds_tls=is_twisteds_tls) as (served, wait):
        for _ in range(ROUNDS):
            client = world.client(served)
            client.send(b"hello\r\n")
            client.hears(b"hello\r\n")
            ENDS[end](client)
            client.close()
        wait(ROUNDS)


@pytest.mark.parametrize("make", [our_context, twisteds_context], ids=["ours", "twisted's"])
def test_a_connection_that_has_gone_on_with_tls(running, make, certificate, tmp_path):
    world = World(running, "tcp", certificate, tmp_path)
    context = make(certificate)
    with all_is_freed(running, is_twisteds_tls=make is twisteds_context) as (served, wait):

        class Starts(served):
            def lineReceived(self, line):
                if line == b"starttls":
                    self.transport.startTLS(context)
                else:
                    super().lineReceived(line)

        for _ in range(ROUNDS):
            client = world.client(Starts)
            client.send(b"starttls\n")
            client.tls = TLSPeer(client.sock)
            client.tls.handshake()
            client.send(b"hello\r\n")
            client.hears(b"hello\r\n")
            client.reset()
        wait(ROUNDS)


@pytest.mark.parametrize("mode", ["stream", "line"])
def test_an_echo_that_logs_its_lines(running, mode, certificate, tmp_path):
    world = World(running, "tcp", certificate, tmp_path)
    with all_is_freed(running, is_twisteds_tls=False) as (served, wait):

        class Echo(EchoProtocol):
            connectionMade = served.connectionMade

        for _ in range(ROUNDS):
            client = world.client(lambda: Echo(mode, log_lines=True))
            client.send(HELLO + b"one\r\ntwo\r\nthr")
            client.hears(NO_THANKS + b"one\r\ntwo\r\n")
            client.reset()
        wait(ROUNDS)
