"""The log of connections: one line for each thing that happens, with its fields in the event."""

from __future__ import annotations

import pytest
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import LineFactory
from echoproto.server.log import show_address
from support import matching
from telnet_bytes import HELLO

PEER = IPv4Address("TCP", "192.0.2.1", 7)


@pytest.fixture
def logged():
    """The events of echoproto's own log, as they come."""

    def observe(event):
        if event.get("log_namespace") == "echoproto":
            events.append(event)

    events = []
    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def connect(logged):  # noqa: ARG001 - it is observed from the beginning
    """Make a connection whose factory logs: an echo, on a transport of the test's own."""

    def connect(peer=PEER, **kwargs):
        connection = LineFactory(lambda: EchoProtocol(**kwargs)).buildProtocol(None)
        connection.makeConnection(StringTransport(peerAddress=peer))
        return connection

    return connect


def lines(events):
    return [formatEvent(event) for event in events]


def lose(connection, error):
    connection.connectionLost(Failure(error))


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "192.0.2.1", 7), "192.0.2.1:7"),
        (IPv6Address("TCP", "2001:db8::1", 7), "[2001:db8::1]:7"),
        (UNIXAddress(b"/run/echo.sock"), "unix:/run/echo.sock"),
        (UNIXAddress(b"\0a\nb\x1b[2J\xff"), r"unix:\x00a\nb\x1b[2J\xff"),
        (UNIXAddress(None), "unix"),
        (UNIXAddress(b""), "unix"),
        (HostnameAddress(b"example.com", 7), str(HostnameAddress(b"example.com", 7))),
    ],
)
def test_an_address_is_shown_as_a_person_writes_it(address, text):
    assert show_address(address) == text


def test_a_connection_is_three_lines_and_their_events_have_the_fields(logged, connect):
    connection = connect()
    connection.dataReceived(HELLO + b"hello\r\n")
    lose(connection, ConnectionDone())
    seconds = r"\d+\.\d{3} s"
    assert lines(logged) == [
        "[1] 192.0.2.1:7 connected",
        "[1] speaks telnet",
        matching(rf"\[1\] 192\.0\.2\.1:7 disconnected: 10 bytes, {seconds}: closed by the client"),
    ]
    connected, telnet, disconnected = logged
    assert (connected["id"], connected["peer"]) == (1, "192.0.2.1:7")
    assert telnet["id"] == 1
    assert (disconnected["id"], disconnected["peer"]) == (1, "192.0.2.1:7")
    assert (disconnected["lines"], disconnected["bytes"]) == (None, 10)
    assert disconnected["seconds"] >= 0
    assert disconnected["why"] == "closed by the client"


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        (b"", "0 lines, 0 bytes, "),
        (b"one\n", "1 line, 4 bytes, "),
        (b"one\ntwo\nrest", "2 lines, 12 bytes, "),
    ],
)
def test_lines_are_counted_where_the_protocol_looks_for_them(logged, connect, data, counted):
    connection = connect(mode="line")
    connection.dataReceived(data)
    lose(connection, ConnectionDone())
    assert f"disconnected: {counted}" in lines(logged)[-1]


def test_a_connection_that_we_have_closed_is_closed_by_the_server(logged, connect):
    connection = connect()
    connection.loseConnection()
    lose(connection, ConnectionDone())
    assert logged[-1]["why"] == "closed by the server"


def test_what_a_client_chooses_is_no_format(logged, connect):
    connection = connect(UNIXAddress(b"/{id}{nosuch}{{"))
    lose(connection, RuntimeError("{peer}"))
    first, last = lines(logged)
    assert first == "[1] unix:/{id}{nosuch}{{ connected"
    assert last.endswith(" s: {peer}")
