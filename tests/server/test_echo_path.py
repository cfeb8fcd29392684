"""What a chunk of plain data costs the echo: two frames of Python each way, however many lines."""

from __future__ import annotations

import socket
import sys
from contextlib import closing

import pytest
from twisted.internet.interfaces import ISystemHandle
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from echoproto.server.connection import receive_urgent_in_line
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory


def connected():
    """A connection with all that a server has, on a transport that writes in C; what it writes."""
    connection = LineFactory(EchoProtocol).buildProtocol(None)
    transport = StringTransport()
    echoed = []
    transport.write = echoed.append
    connection.makeConnection(transport)
    return connection, echoed


def events(connection, chunk):
    """What Python's profiler sees of one chunk: the frames entered, and the calls of C."""
    seen = []
    receive = connection.dataReceived

    def note(frame, event, argument):
        if event == "call":
            seen.append((event, frame.f_code.co_qualname))
        elif event == "c_call" and argument is not sys.setprofile:
            seen.append((event, argument.__qualname__))

    sys.setprofile(note)
    receive(chunk)
    sys.setprofile(None)
    return seen


@pytest.mark.parametrize("chunk", [b"hello", b"\r\n" * 3000, b"x" * 65536])
def test_plain_data_costs_the_same_few_frames_and_calls_of_c_whatever_it_is(chunk):
    connection, echoed = connected()
    cost = events(connection, chunk)
    assert cost == [
        ("call", "ServerConnection.dataReceived"),
        ("c_call", "len"),
        ("call", "EchoProtocol.dataReceived"),
        ("call", "ServerConnection.write"),
        ("c_call", "list.append"),
    ]
    assert echoed == [chunk]
    assert connection.bytes_received == len(chunk)


@pytest.mark.parametrize("urgent_in_line", [False, True])
def test_a_connection_asks_for_its_socket_only_if_its_port_did_not_see_to_urgent_data(
    urgent_in_line,
):
    @implementer(ISystemHandle)
    class WithSocket(StringTransport):
        handle = None

        def getHandle(self):
            self.handle = socket.socket()
            return self.handle

    factory = LineFactory(EchoProtocol)
    factory.urgent_in_line = urgent_in_line
    transport = WithSocket()
    factory.buildProtocol(None).makeConnection(transport)
    assert (transport.handle is None) is urgent_in_line
    if transport.handle is not None:
        with transport.handle as handle:
            assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)


def test_what_a_listening_socket_accepts_keeps_urgent_data_in_line_as_it_does():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        receive_urgent_in_line(listening)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
