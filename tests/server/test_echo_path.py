"""What a chunk costs EchoProtocol: one Python frame, and no more calls of C for many lines."""

from __future__ import annotations

import socket
import sys
from contextlib import closing

import pytest
from twisted.internet.interfaces import ISystemHandle
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from echoproto.server import echo
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.telnet import receive_urgent_in_line

ENDS = [b"\n", b"\r\n", b"\r"]


def connected():
    """A protocol with all that a server has, on a transport that writes in C; what it writes."""
    protocol = LineFactory(EchoProtocol).buildProtocol(None)
    transport = StringTransport()
    echoed = []
    transport.write = echoed.append
    protocol.makeConnection(transport)
    return protocol, echoed


def events(protocol, chunk):
    """What Python's profiler sees of one chunk: the frames entered, and the calls of C."""
    seen = []
    receive = protocol.dataReceived

    def note(frame, event, argument):
        if event == "call":
            seen.append((event, frame.f_code.co_qualname))
        elif event == "c_call" and argument is not sys.setprofile:
            seen.append((event, argument.__qualname__))

    sys.setprofile(note)
    receive(chunk)
    sys.setprofile(None)
    return seen


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("line", [b"x" * 5000, b"x" * 64, b"x", b""])
def test_a_chunk_is_echoed_in_one_frame_and_no_more_calls_of_c_for_many_lines(line, end):
    costs = []
    for count in (1, 2, 300, 1000, 3000):
        protocol, echoed = connected()
        protocol.dataReceived(line + end)  # so that it is known how long lines are here
        chunk = (line + end) * count
        costs.append(events(protocol, chunk))
        assert echoed == [line + end, chunk]
        assert protocol.lines_received == count + 1
        assert protocol.bytes_received == len(chunk) + len(line + end)
    for cost in costs:
        frames = [name for event, name in cost if event == "call"]
        assert frames == ["EchoProtocol.dataReceived"]
    assert costs[2] == costs[3] == costs[4]
    assert max(map(len, costs)) <= 12


@pytest.mark.parametrize("few", [0, 4, 128])
@pytest.mark.parametrize("before", [b"x" * 100_000, (b"x" * 99 + b"\n") * 100, b"\n" * 1000])
@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\nc"], 2),
        ([b"a\r\nb\r\n"], 2),
        ([b"a\r", b"b\rc"], 2),
        ([b"a\r", b"\nb\r", b"\0c"], 2),
        ([b"a\r", b"\n"], 1),
        ([b"\r", b"\r", b"\n\n"], 3),
        ([b"a\n\rb\r\r\n\n"], 5),
        ([b"a\rb\n"], 2),
        ([b"a\n"], 1),
        ([b"a\r\n"], 1),
        ([b"\n"], 1),
        ([b"\r\n"], 1),
        ([b"a\r", b"\n", b"\r", b"b"], 2),
        ([b"a\rb"], 1),
        ([b"\ra\n"], 2),
        ([b"a\r\0"], 1),
        ([b"a\r\nb\nc\rd\r\0"], 4),
        ([b"a\r", b"b", b"\n"], 2),
    ],
)
def test_lines_are_counted_alike_where_lines_are_long_and_where_they_are_short(
    before, chunks, lines, few, monkeypatch
):
    monkeypatch.setattr(echo, "_FEW", few)
    protocol, _ = connected()
    protocol.dataReceived(before)
    counted = protocol.lines_received
    for chunk in chunks:
        protocol.dataReceived(chunk)
    assert protocol.lines_received - counted == lines


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
