"""The client on TLS: with the real server, and with peers that do TLS badly or not at all."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from contextlib import suppress

import pytest

from echoproto.client.target import Target
from peers import everything, plain_peer, printed, talk
from support import BIN, DEADLINE, fails, receive_all, receive_exactly, run, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20
RANDOM = b"\xff\0" + os.urandom(5 * MEBIBYTE)  # which shows to an echo server that it is no telnet


async def echoed(connection, data):
    """Send, half-close and receive at the same time, in the manner of a pipe."""

    async def send():
        for at in range(0, len(data), 256 * 1024):
            assert await connection.send(data[at : at + 256 * 1024])
        await connection.send_eof()

    _, received = await asyncio.gather(send(), everything(connection))
    return received


# With the real server


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"hello\r\n",
        bytes(range(256)) * 1000 + b"\r",
        RANDOM,
    ],
    ids=["nothing", "no line end", "a line", "every byte", "5 MiB"],
)
@pytest.mark.usefixtures("trusted")
def test_what_is_sent_comes_back_exactly(tls_server, data):
    where = f"tls://localhost:{tls_server.port}"
    done = run(ECHOPROTO, "send", "--shutdown", "0", where, input=data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


@pytest.mark.usefixtures("trusted")
def test_hello_without_a_line_end_comes_back_each_of_a_hundred_times(tls_server):
    target = Target("localhost", tls_server.port, scheme="tls")
    for _ in range(100):
        assert talk(target, lambda connection: echoed(connection, b"hello")) == b"hello"


@pytest.mark.usefixtures("trusted")
def test_it_sends_and_receives_at_the_same_time(tls_server):
    data = RANDOM * 3
    target = Target("localhost", tls_server.port, scheme="tls")
    received = talk(target, lambda connection: echoed(connection, data))
    assert len(received) == len(data)
    assert received == data


@pytest.mark.usefixtures("trusted")
def test_input_that_comes_slowly_is_sent_as_it_comes(tls_server):
    with start(ECHOPROTO, f"tls://localhost:{tls_server.port}") as process:
        for _ in range(3):
            process.stdin.write(b"no line end")
            process.stdin.flush()
            assert printed(process) == b"no line end"
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize("option", ["-k", "--insecure"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_insecure_accepts_whoever_it_is(tls_server, option, host):
    where = f"tls://{host}:{tls_server.port}"
    done = run(ECHOPROTO, "send", option, "--shutdown", "0", where, input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


def test_nothing_is_sent_to_a_peer_that_is_not_trusted(certificate):
    received = []

    def serve(sock):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with pytest.raises(ssl.SSLError), context.wrap_socket(sock, server_side=True) as tls:
            received.append(tls.recv(100))

    with plain_peer(serve) as target:
        assert "certificate" in fails(str(target), data=b"secret")
    assert received in ([], [b""])


def test_the_handshake_is_part_of_the_time_that_connecting_may_take():
    with plain_peer(receive_all) as target:
        assert fails("-w", "0.5", str(target)) == (
            f"echoproto: cannot connect to {target}: no answer in 0.5 seconds"
        )


def test_the_handshake_also_ends_by_a_signal():
    met = threading.Event()

    def serve(sock):
        receive_exactly(sock, 1)
        met.set()
        with suppress(ConnectionError):
            receive_all(sock)

    with plain_peer(serve) as target, start(ECHOPROTO, "send", str(target)) as process:
        assert met.wait(DEADLINE)
        process.terminate()
        assert process.wait(DEADLINE) == 143
