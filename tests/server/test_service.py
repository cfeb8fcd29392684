"""`EchoService` and `makeService`: where the service listens, what it serves, and how it ends."""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from errno import EADDRINUSE

import pytest
import twisted.internet
from twisted.internet.defer import gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport

from echoproto.errors import CannotStartError
from echoproto.server.echo import EchoProtocol
from echoproto.server.listener import make_listener
from echoproto.server.options import Options
from echoproto.server.registry import Registry
from echoproto.server.service import EchoService, _explain, makeService
from socket_probes import is_refused
from support import connect, eventually, has_ipv6, receive_all, receive_exactly
from telnet_bytes import HELLO, NO_THANKS

MUCH = b"x" * 8_000_000  # more than all the buffers between
TCP = "tcp:0:interface=127.0.0.1"


class Echoes(Factory):
    noisy = False
    protocol = EchoProtocol


@pytest.fixture
def make(running):
    """Make a service that listens where a test says; it is stopped at the end."""

    def make(*where):
        listeners = [make_listener(running.reactor, each) for each in where]
        service = EchoService(running.reactor, listeners, Echoes(), Registry())
        services.append(service)
        return service

    services = []
    yield make
    for service in services:
        running.call(service.stopService)


def ports(running, service):
    return [running.call(port.getHost).port for port in service._ports]


def test_it_listens_before_privileges_are_given_up_and_not_again_after(running, make):
    service = make(TCP, TCP)
    running.call(service.privilegedStartService)
    before = ports(running, service)
    assert len(set(before)) == 2
    running.call(service.startService)
    assert ports(running, service) == before
    for port in before:
        with connect(port) as client:
            client.sendall(b"hello")
            assert receive_exactly(client, 5) == b"hello"


def test_it_listens_when_it_starts_if_nobody_had_privileges_to_give_up(running, make):
    service = make(TCP)
    running.call(service.startService)
    with connect(*ports(running, service)) as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"


def test_a_port_that_is_taken_is_named_with_the_reason(running, make):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = make(f"tcp:{port}:interface=127.0.0.1")
        with pytest.raises(CannotStartError) as error:
            running.call(service.privilegedStartService)
    assert str(error.value) == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_an_ipv6_address_that_is_taken_stands_in_brackets(running, make):
    if not has_ipv6():
        pytest.skip("no IPv6")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStartError) as error:
            running.call(make(rf"tcp6:{port}:interface=\:\:1").startService)
    assert str(error.value) == f"cannot listen on [::1]:{port}: Address already in use"


def test_a_unix_socket_that_another_server_has_is_named_with_the_reason(running, make, tmp_path):
    where = f"unix:{tmp_path}/echo.sock"
    running.call(make(where).startService)
    with pytest.raises(CannotStartError) as error:
        running.call(make(where).startService)
    assert str(error.value) == f"cannot listen on {where}: another process listens there"
    taken = CannotListenError(None, b"/echo.sock", OSError(EADDRINUSE, "Address already in use"))
    assert _explain("unix:/echo.sock", taken) == (
        "cannot listen on unix:/echo.sock: Address already in use"
    )


def test_if_one_address_is_taken_none_is_left_open(running, make, certificate, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        first, port = probe.getsockname()[1], taken.getsockname()[1]
        probe.close()
        path = tmp_path / "echo.sock"
        service = make(
            f"tcp:{first}:interface=127.0.0.1",
            f"unix:{path}",
            f"ssl:0:interface=127.0.0.1:privateKey={certificate}",
            f"tcp:{port}:interface=127.0.0.1",
        )
        for start in (service.privilegedStartService, service.startService):
            with pytest.raises(CannotStartError, match="Address already in use"):
                running.call(start)
            assert not service.running
            assert not service._ports
            assert is_refused(first)
            assert not path.exists()
    running.call(service.startService)  # nobody has that port now
    assert len(ports_of(running, service)) == 4


def ports_of(running, service):
    return running.call(lambda: [port.getHost() for port in service._ports])


def test_it_can_be_started_again_after_it_was_stopped(running, make, tmp_path):
    path = tmp_path / "echo.sock"
    service = make(TCP, f"unix:{path}")
    for _ in range(2):
        running.call(service.privilegedStartService)
        running.call(service.startService)
        port = running.call(service._ports[0].getHost).port
        with connect(port) as client:
            client.sendall(b"hello")
            assert receive_exactly(client, 5) == b"hello"
        running.call(service.stopService)
        assert is_refused(port)
        assert not path.exists()


def test_a_path_where_no_socket_can_be_is_named_with_the_reason(running, make):
    service = make("unix:/nosuch/echo.sock")
    with pytest.raises(CannotStartError) as error:
        running.call(service.privilegedStartService)
    text = "cannot listen on unix:/nosuch/echo.sock: No such file or directory"
    assert str(error.value) == text


def test_what_a_port_accepts_keeps_urgent_data_in_line(running, make):
    service = make(TCP)
    running.call(service.startService)
    with connect(*ports(running, service)) as client:
        client.sendall(b"a")
        client.send(b"b", socket.MSG_OOB)
        client.sendall(b"c")
        assert receive_exactly(client, 3) == b"abc"
        (connection,) = running.call(lambda: list(service._registry.connections))
        assert connection.factory.urgent_in_line


def test_when_it_stops_nobody_can_connect_and_what_is_in_flight_is_delivered(running, make):
    service = make(TCP)
    running.call(service.startService)
    (port,) = ports(running, service)
    with connect(port) as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
        (connection,) = running.call(lambda: list(service._registry.connections))
        running.call(connection.write, MUCH)
        (stopped,) = running.call(lambda: [service.stopService()])
        eventually(lambda: is_refused(port), "the port is closed")
        assert receive_all(client) == MUCH
        running.call(lambda: stopped)
    assert not service._registry.connections


def test_stops_that_overlap_are_one(running, make):
    service = make(TCP)
    running.call(service.startService)
    with connect(*ports(running, service)) as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
        drains = []
        drain = service._registry.drain
        service._registry.drain = lambda clock: drains.append(clock) or drain(clock)
        stops = running.call(lambda: [[service.stopService(), service.stopService()]])[0]
        assert receive_all(client) == b""
        running.call(lambda: gatherResults(stops))
    assert len(drains) == 1
    running.call(service.stopService)  # it is stopped already
    assert len(drains) == 2


# What the options ask for


@pytest.fixture
def memory(monkeypatch):
    """A reactor in memory, which is installed."""
    reactor = MemoryReactorClock()
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", reactor)
    monkeypatch.setattr(twisted.internet, "reactor", reactor, raising=False)
    return reactor


def options(*arguments):
    parsed = Options()
    parsed.parseOptions(arguments)
    return parsed


def served(memory, *arguments):
    """A connection to a service that was made with these options, and its transport."""
    makeService(options("--listen", TCP, *arguments)).privilegedStartService()
    ((_, family, factory),) = memory.adoptedPorts
    assert family == socket.AF_INET
    connection, transport = factory.buildProtocol(None), StringTransport()
    connection.makeConnection(transport)
    return connection, transport


@pytest.mark.parametrize(
    ("arguments", "sent", "echoed"),
    [
        ([], b"one\ntwo", b"one\ntwo"),
        (["--mode", "line"], b"one\ntwo", b"one\n"),
        ([], HELLO + b"\xff\xff\n", NO_THANKS + b"\xff\xff\r\n"),
        (["--telnet", "always"], b"\xff\xff\n", b"\xff\xff\r\n"),
        (["--telnet", "never"], HELLO + b"\xff\xff\n", HELLO + b"\xff\xff\n"),
    ],
)
def test_the_echo_is_what_the_options_ask_for(memory, arguments, sent, echoed):
    connection, transport = served(memory, *arguments)
    connection.dataReceived(sent)
    assert transport.value() == echoed


@pytest.mark.parametrize("log_lines", [False, True])
def test_lines_are_looked_for_if_they_are_logged(memory, log_lines):
    connection, _ = served(memory, *["--log-lines"] * log_lines)
    connection.dataReceived(b"one\ntwo\n")
    assert connection.protocol.lines_received == (2 if log_lines else None)


def test_it_listens_on_every_endpoint_of_the_options(memory, tmp_path):
    path = tmp_path / "echo.sock"
    asked = options("-l", TCP, "-l", f"unix:{path}", "-l", TCP)
    makeService(asked).privilegedStartService()
    assert [family for _, family, _ in memory.adoptedPorts] == [socket.AF_INET] * 2
    assert [address for address, *_ in memory.unixServers] == [str(path)]


@pytest.mark.parametrize("where", ["ssl:0:privateKey=/nosuch.pem", "unix:/a:nosuch=1"])
@pytest.mark.usefixtures("memory")
def test_an_endpoint_that_cannot_be_is_one_clear_line_and_status_2(where, capsys):
    with pytest.raises(SystemExit) as ended:
        makeService(options("--listen", where))
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"twistd echo: --listen {where}: ")
    assert len(err.splitlines()) == 1
