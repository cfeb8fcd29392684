"""How a telnet connection ends: EOF, half-close, and what is left then."""

from __future__ import annotations

import socket

from echoproto.wire.telnet.commands import Command
from support import connect, receive_all
from telnet_bytes import (
    AYT,
    EOF,
    HELLO,
    NO_THANKS,
    NOP,
)
from telnet_clients import Recorder, connected


def test_half_close_while_paused_loses_nothing_that_came_before():
    protocol, wire = connected(None, HELLO, b"pause\n" + NOP + b"two\n" + NOP + b"three\n")
    protocol.transport.readConnectionLost()
    assert not wire.disconnecting
    protocol.resumeProducing()
    lines = [call for call in protocol.calls if isinstance(call, bytes)]
    assert lines == [b"pause", b"two", b"three"]
    assert wire.disconnecting


def test_eof_delivers_what_is_left_then_closes_and_nothing_follows():
    protocol, wire = connected(None, HELLO + b"one\ntwo\n" + EOF + b"three\n" + NOP + AYT)
    protocol.transport.dataReceived(b"four\n" + AYT)
    assert protocol.calls == [b"one", b"two", ("command", Command.EOF)]
    assert wire.disconnecting
    assert wire.value() == NO_THANKS


def test_eof_while_paused_closes_when_what_was_held_is_delivered():
    protocol, wire = connected(None, HELLO + b"pause\ntwo\n" + EOF + b"three\n")
    assert not wire.disconnecting
    protocol.resumeProducing()
    assert protocol.calls == [b"pause", b"two", ("command", Command.EOF)]
    assert wire.disconnecting


def test_half_close_after_eof_is_told_once_and_the_rest_can_still_be_sent():
    class Late(Recorder):
        def peerHalfClosed(self):
            self.calls.append("half-closed")

    protocol, wire = connected(Late(), HELLO + b"one\n" + EOF)
    protocol.transport.readConnectionLost()
    protocol.sendLine(b"\xff")
    assert protocol.calls == [b"one", ("command", Command.EOF), "half-closed"]
    assert not wire.disconnecting
    assert wire.value() == NO_THANKS + b"\xff\xff\r\n"


def test_eof_on_a_plain_connection_is_data():
    protocol, wire = connected(None, b"a" + EOF + b"b\n")
    assert protocol.calls == [b"a" + EOF + b"b"]
    assert not wire.disconnecting


def test_in_line_mode_a_last_255_without_a_line_end_comes_back_at_the_end(serve):
    with serve("--mode", "line") as server:
        with connect(server.port) as sock:
            sock.sendall(b"no end\xff")
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b"no end\xff"
        server.log.wait_for(r"\[1\].* disconnected: 0 lines, 7 bytes")


def test_a_255_that_waits_when_the_client_half_closes_is_data():
    class Last(Recorder):
        def peerHalfClosed(self):
            self.calls.append(("last", self.clearLineBuffer()))

    protocol, _ = connected(Last(), b"line\nno end\xff")
    protocol.transport.readConnectionLost()
    assert protocol.calls == [b"line", ("last", b"no end\xff")]
