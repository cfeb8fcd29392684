"""Urgent data: who keeps the urgent byte of telnet's Synch in its place in the stream."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from twisted.internet.interfaces import ISystemHandle
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.sockets import receive_urgent_in_line
from support import DEADLINE


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
        listening.settimeout(DEADLINE)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
