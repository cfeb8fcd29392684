"""What a chunk of plain data costs the echo: two frames of Python each way, however many lines."""

from __future__ import annotations

import sys

import pytest
from twisted.internet.testing import StringTransport

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
