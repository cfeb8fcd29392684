"""A tap on a real connection: what it reports of each system call, of TLS, and of each end."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time

import pytest

from echoproto.client.connection import connect
from echoproto.client.tapping import _address
from echoproto.client.target import Target
from echoproto.errors import NetworkError
from echoproto.wire.tap import WireKind
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import PIPE_POLICY
from peers import EACH_VERSION, RESET_AT_CLOSE, everything, peer, plain_peer, talk, tls_peer, until
from support import DEADLINE, has_ipv6, receive_all, receive_exactly

MEBIBYTE = 1 << 20
DO_UNKNOWN, WONT_UNKNOWN = b"\xff\xfd\x63", b"\xff\xfc\x63"


def echo_once(sock):
    sock.sendall(receive_exactly(sock, 5))
    assert receive_all(sock) == b""


def end(_):
    """End at once."""


async def say_hello(connection):
    assert await connection.send(b"hello")
    assert await connection.receive() == b"hello"
    await connection.send_eof()
    assert await everything(connection) == b""


def told(events):
    """The kinds of events and their data, without the first and what follows it."""
    return [(event.kind.name, event.data) for event in events]


HELLO = [
    ("SENT", b"hello"),
    ("RECEIVED", b"hello"),
    ("SENT_EOF", b""),
    ("RECEIVED_EOF", b""),
    ("CLOSED", b""),
]


def test_each_system_call_and_each_end_is_an_event():
    events = []
    before = time.time()
    with peer(echo_once) as (_, port):
        talk(Target("127.0.0.1", port), say_hello, on_wire=events.append)
    assert told(events[1:]) == HELLO
    assert before <= events[0].time <= events[-1].time <= time.time()


def test_the_first_event_names_both_addresses():
    events = []

    async def script(connection):
        return connection.stream.socket.getsockname()[1]

    with peer(receive_all) as (_, port):
        local = talk(Target("127.0.0.1", port), script, on_wire=events.append)
    assert events[0].kind is WireKind.CONNECTED
    assert (events[0].local, events[0].remote) == (("127.0.0.1", local), ("127.0.0.1", port))


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_ipv6_addresses_are_hosts_and_ports():
    events = []
    with peer(echo_once, socket.AF_INET6, ("::1", 0)) as (_, port, *_):
        talk(Target("::1", port), say_hello, on_wire=events.append)
    assert events[0].remote == ("::1", port)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_a_link_local_address_has_its_zone_and_a_lost_one_is_unknown():
    with socket.socket(socket.AF_INET6) as sock:
        found = ("fe80::1", 7, 0, socket.if_nametoindex("lo"))
        assert _address(sock, lambda: found) == ("fe80::1%lo", 7)
        assert _address(sock, sock.getpeername) == ""


@pytest.mark.parametrize("name", ["@{}", "{}"])
def test_unix_sockets_have_their_paths(name, tmp_path):
    path = name.format(tmp_path / "s")
    events = []
    with peer(echo_once, socket.AF_UNIX, path.replace("@", "\0")):
        talk(Target(path=path), say_hello, on_wire=events.append)
    assert (events[0].local, events[0].remote) == ("", path)
    assert told(events[1:]) == HELLO


def test_a_write_that_the_system_takes_in_parts_is_several_events():
    events, received = [], []
    may_read = threading.Event()
    data = os.urandom(16 * MEBIBYTE)

    def serve(sock):
        assert may_read.wait(DEADLINE)
        received.append(receive_all(sock))

    async def script(connection):
        sending = asyncio.create_task(connection.send(data))
        await until(lambda: connection.stream.unacknowledged)
        may_read.set()
        assert await sending
        await connection.send_eof()
        await everything(connection)

    with peer(serve) as (_, port):
        talk(Target("127.0.0.1", port), script, on_wire=events.append)
    sent = [event.data for event in events if event.kind is WireKind.SENT]
    assert len(sent) > 1
    assert b"".join(sent) == received[0] == data


@pytest.mark.usefixtures("trusted")
@EACH_VERSION
def test_on_tls_the_data_is_decrypted_and_each_end_is_one_event(certificate, version):
    events = []
    with tls_peer(certificate, echo_once, version) as target:
        talk(target, say_hello, on_wire=events.append)
    assert told(events[2:]) == HELLO
    assert events[1].kind is WireKind.TLS_ESTABLISHED
    assert events[1].text.startswith(version.name.replace("_", ".") + ", ")


@pytest.mark.usefixtures("trusted")
def test_tls_that_is_cut_off_says_so(certificate):
    events = []

    async def script(connection):
        with pytest.raises(NetworkError, match="close_notify"):
            await everything(connection)

    with tls_peer(certificate, end, cuts=True) as target:
        talk(target, script, on_wire=events.append)
    assert told(events[2:]) == [("RECEIVED_EOF", b""), ("CLOSED", b"")]
    assert events[2].text.startswith("without TLS's close_notify")


def test_a_handshake_that_fails_is_a_connection_that_is_lost():
    events = []
    with (
        plain_peer(lambda sock: sock.sendall(b"220 hello\r\n")) as target,
        pytest.raises(NetworkError, match="it does not speak TLS"),
    ):
        talk(target, say_hello, on_wire=events.append)
    assert told(events) == [("CONNECTED", b""), ("LOST", b""), ("CLOSED", b"")]
    assert events[1].text.startswith("it does not speak TLS")


def test_a_reset_is_told_once_with_its_reason():
    events = []

    def serve(sock):
        receive_exactly(sock, 1)
        sock.setsockopt(*RESET_AT_CLOSE)

    async def script(connection):
        assert await connection.send(b"x")
        for _ in range(2):
            with pytest.raises(NetworkError, match="reset"):
                await connection.receive()

    with peer(serve) as (_, port):
        talk(Target("127.0.0.1", port), script, on_wire=events.append)
    assert told(events[1:]) == [("SENT", b"x"), ("LOST", b""), ("CLOSED", b"")]
    assert events[2].text == "Connection reset by peer"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["telnet", "telnets"])
def test_telnet_is_tapped_as_it_is_on_the_wire_with_its_replies(certificate, scheme):
    events = []

    def serve(sock):
        sock.sendall(DO_UNKNOWN + b"a\xff\xff")
        received.append(receive_exactly(sock, 5))

    async def script(connection):
        assert await connection.receive() == b"a\xff"
        await until(lambda: len(events) > first + 1)
        assert await connection.send(b"\xff")
        await everything(connection)

    received = []
    first = 1 if scheme == "telnet" else 2
    server = peer(serve) if scheme == "telnet" else tls_peer(certificate, serve, scheme=scheme)
    with server as where:
        target = where if scheme == "telnets" else Target("127.0.0.1", where[1], scheme=scheme)
        codec = TelnetCodec(PIPE_POLICY, ayt=b"")
        talk(target, script, telnet=codec, on_wire=events.append)
    assert told(events[first : first + 3]) == [
        ("RECEIVED", DO_UNKNOWN + b"a\xff\xff"),
        ("SENT", WONT_UNKNOWN),
        ("SENT", b"\xff\xff"),
    ]
    assert received == [WONT_UNKNOWN + b"\xff\xff"]


def test_a_function_that_fails_does_not_harm_the_connection_and_is_told_once():
    problems, calls = [], []

    def fails(event):
        calls.append(event)
        if event.data:
            raise ZeroDivisionError

    async def main(port):
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: problems.append(context)
        )
        async with asyncio.timeout(DEADLINE), connect(f"127.0.0.1:{port}", on_wire=fails) as it:
            await say_hello(it)

    with peer(echo_once) as (_, port):
        asyncio.run(main(port))
    assert len(calls) == 2
    (problem,) = problems
    assert isinstance(problem["exception"], ZeroDivisionError)
    assert problem["message"] == "on_wire failed; it is not called any more"


def test_without_a_tap_there_is_no_layer_for_it(certificate):
    async def script(connection):
        await say_hello(connection)
        return connection._pipeline.layers

    with tls_peer(certificate, echo_once) as target:
        assert len(talk(target, script, insecure=True)) == 1
