"""The client on TLS: with the real server, and with peers that do TLS badly or not at all."""

from __future__ import annotations

import asyncio
import os
import re
import select
import socket
import ssl
import subprocess
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from echoproto.client.connection import CHUNK, NetworkError, connect
from echoproto.client.target import Target
from support import BIN, DEADLINE, eventually, receive_all, receive_exactly, run, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20
RANDOM = b"\xff\0" + os.urandom(5 * MEBIBYTE)  # which shows to an echo server that it is no telnet
RESET_AT_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

EACH_VERSION = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name
)


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The certificate is one that the system trusts, here and in programs that are started."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@contextmanager
def peer(serve):
    """A server of one connection, as `serve` has it; gives what to connect to."""

    def accept():
        with closing(listener.accept()[0]) as sock:
            sock.settimeout(DEADLINE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is said has left
            serve(sock)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield Target("localhost", listener.getsockname()[1], scheme="tls")
        finally:
            thread.join(DEADLINE)
    assert not thread.is_alive()


@contextmanager
def tls_peer(certificate, serve, version=None):
    """The same, once it has done the handshake; `version` is the one of TLS, the best if none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if version is not None:
        context.minimum_version = context.maximum_version = version

    def handshake(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            serve(tls)

    with peer(handshake) as target:
        yield target


def closes_notify(tls):
    """End the sending side of TLS, as `openssl s_server` does, and go on with nothing."""
    with suppress(OSError):  # the other side may be gone, or go on sending
        tls.unwrap()


def talk(target, script):
    """Run `script(connection)` on a connection to `target`."""

    async def main():
        async with asyncio.timeout(DEADLINE), connect(target) as connection:
            return await script(connection)

    return asyncio.run(main())


async def everything(connection):
    data = []
    while more := await connection.receive():
        data.append(more)
    return b"".join(data)


async def echoed(connection, data):
    """Send, half-close and receive at the same time, in the manner of a pipe."""

    async def send():
        for at in range(0, len(data), 256 * 1024):
            assert await connection.send(data[at : at + 256 * 1024])
        await connection.send_eof()

    _, received = await asyncio.gather(send(), everything(connection))
    return received


def fails(*words, data=b"hello"):
    """What it says on standard error when it ends with status 1, in one line."""
    done = run(ECHOPROTO, "send", *words, input=data)
    assert (done.returncode, done.stdout) == (1, b"")
    start, newline, rest = done.stderr.decode().partition("\n")
    assert (newline, rest) == ("\n", "")
    return start


def printed(process):
    """What it prints next."""
    assert select.select([process.stdout], [], [], DEADLINE)[0], "it prints nothing"
    return os.read(process.stdout.fileno(), 65536)


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
    done = run(ECHOPROTO, "send", f"tls://localhost:{tls_server.port}", input=data)
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


# Who the peer is


def test_a_certificate_that_nobody_trusts_is_refused_in_one_clear_line(tls_server):
    name = f"tls://localhost:{tls_server.port}"
    assert fails(name) == (
        f"echoproto: cannot connect to {name}: its certificate is not trusted: "
        "self-signed certificate (SSL_CERT_FILE names one that is; -k takes any)"
    )


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_is_refused_in_one_clear_line(tls_server):
    name = f"tls://127.0.0.1:{tls_server.port}"
    assert fails(name) == (
        f"echoproto: cannot connect to {name}: its certificate is not trusted: IP address "
        "mismatch, certificate is not valid for '127.0.0.1'. "
        "(SSL_CERT_FILE names one that is; -k takes any)"
    )


@pytest.mark.parametrize("option", ["-k", "--insecure"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_insecure_accepts_whoever_it_is(tls_server, option, host):
    done = run(ECHOPROTO, "send", option, f"tls://{host}:{tls_server.port}", input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


def test_nothing_is_sent_to_a_peer_that_is_not_trusted(certificate):
    received = []

    def serve(sock):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with pytest.raises(ssl.SSLError), context.wrap_socket(sock, server_side=True) as tls:
            received.append(tls.recv(100))

    with peer(serve) as target:
        assert "certificate" in fails(str(target), data=b"secret")
    assert received in ([], [b""])


# Peers that do not do the handshake


@pytest.mark.usefixtures("trusted")
def test_a_server_without_tls_is_one_clear_line(server):
    name = f"tls://localhost:{server.port}"
    assert fails(name) == f"echoproto: cannot connect to {name}: it does not speak TLS"


@pytest.mark.parametrize(
    "greeting", [b"220 mail.example ESMTP\r\n", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\0" * 64]
)
def test_a_greeting_that_is_no_tls_is_one_clear_line(greeting):
    def serve(sock):
        sock.sendall(greeting)
        with suppress(ConnectionError):
            receive_all(sock)

    with peer(serve) as target:
        said = fails(str(target))
        assert said == f"echoproto: cannot connect to {target}: it does not speak TLS"


def test_a_peer_that_closes_in_the_handshake_is_one_clear_line():
    def serve(sock):
        sock.recv(4096)

    with peer(serve) as target:
        said = fails(str(target))
        assert said == f"echoproto: cannot connect to {target}: it closed during the TLS handshake"


def test_a_peer_that_resets_in_the_handshake_is_one_clear_line():
    def serve(sock):
        receive_exactly(sock, 1)
        sock.setsockopt(*RESET_AT_CLOSE)

    with peer(serve) as target:
        assert fails(str(target)) == f"echoproto: {target}: Connection reset by peer"


def test_the_handshake_is_part_of_the_time_that_connecting_may_take():
    with peer(receive_all) as target:
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

    with peer(serve) as target, start(ECHOPROTO, "send", str(target)) as process:
        assert met.wait(DEADLINE)
        process.terminate()
        assert process.wait(DEADLINE) == 143


# How a connection ends


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_after_its_half_close_it_receives_what_the_peer_still_says(certificate, version):
    def serve(tls):
        assert receive_all(tls) == b"hello"  # up to close_notify
        tls.sendall(b"HELLO" * 100_000)

    async def script(connection):
        assert await connection.send(b"hello")
        await connection.send_eof()
        return await everything(connection)

    with tls_peer(certificate, serve, version) as target:
        assert talk(target, script) == b"HELLO" * 100_000


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_half_close_loses_nothing_of_what_has_arrived_already(certificate, version):
    data = os.urandom(200_000)
    sent_all = threading.Event()

    def serve(tls):
        tls.sendall(data)
        sent_all.set()
        with suppress(ConnectionError):
            receive_all(tls)
            tls.sendall(b"and the last")

    async def script(connection):
        # With one record come others, that wait to be received. A pipe does this when its output
        # is slower than the peer, and its input ends.
        assert await asyncio.to_thread(sent_all.wait, DEADLINE)
        received = await connection.receive()
        assert len(received) < CHUNK
        await connection.send_eof()
        return received + await everything(connection)

    with tls_peer(certificate, serve, version) as target:
        received = talk(target, script)
    assert len(received) == len(data + b"and the last")
    assert received == data + b"and the last"


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_peer_that_ends_tcp_without_close_notify_has_ended(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        receive_exactly(tls, 5)  # and then Python closes TCP, and says nothing on TLS

    with (
        tls_peer(certificate, serve, version) as target,
        start(ECHOPROTO, "send", str(target), stderr=subprocess.PIPE) as process,
    ):
        process.stdin.write(b"hello")
        process.stdin.flush()
        assert process.wait(DEADLINE) == 0
        assert (process.stdout.read(), process.stderr.read()) == (b"partial", b"")


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_the_end_stays_the_end(certificate, version):
    def serve(tls):
        tls.sendall(b"bye")
        closes_notify(tls)

    async def script(connection):
        return [await connection.receive() for _ in range(4)]

    with tls_peer(certificate, serve, version) as target:
        assert talk(target, script) == [b"bye", b"", b"", b""]


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_half_close_after_the_end_is_in_good_order(certificate, version):
    async def script(connection):
        assert await everything(connection) == b"bye"
        await connection.send_eof()
        await connection.send_eof()
        assert await connection.receive() == b""

    with tls_peer(certificate, lambda tls: tls.sendall(b"bye"), version) as target:
        talk(target, script)


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_sending_to_a_peer_that_has_closed_ends_in_good_order(certificate, version):
    def serve(tls):
        tls.sendall(b"bye")
        closes_notify(tls)

    async def script(connection):
        assert await everything(connection) == b"bye"
        with suppress(NetworkError):  # a reset, if the peer has not read all
            while await connection.send(b"x" * CHUNK):
                pass
        await connection.send_eof()
        assert await connection.receive() == b""

    with tls_peer(certificate, serve, version) as target:
        talk(target, script)


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_pipe_ends_when_the_peer_closes_although_input_goes_on(certificate, version):
    def serve(tls):
        tls.sendall(b"goodbye")
        closes_notify(tls)

    with (
        tls_peer(certificate, serve, version) as target,
        start(ECHOPROTO, "send", str(target)) as process,
    ):
        assert process.wait(DEADLINE) == 0
        assert process.stdout.read() == b"goodbye"


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_connection_that_is_reset_is_one_clear_line_after_what_came(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        receive_exactly(tls, 5)
        tls.setsockopt(*RESET_AT_CLOSE)

    with tls_peer(certificate, serve, version) as target:
        done = run(ECHOPROTO, "send", str(target), input=b"hello")
    assert (done.returncode, done.stdout) == (1, b"partial")
    assert done.stderr.decode() == f"echoproto: {target}: Connection reset by peer\n"


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_what_is_no_tls_any_more_is_one_clear_line_after_what_came(certificate, version):
    def serve(tls):
        tls.sendall(b"partial")
        with closing(socket.socket(fileno=os.dup(tls.fileno()))) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record with a wrong signature
            with suppress(OSError):
                receive_all(raw)

    with tls_peer(certificate, serve, version) as target:
        done = run(ECHOPROTO, "send", str(target), input=b"hello")
    assert (done.returncode, done.stdout) == (1, b"partial")
    assert re.fullmatch(rf"echoproto: {target}: TLS: .*\n", done.stderr.decode())


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_reset_that_comes_before_the_half_close_is_still_told(certificate, version):
    # The system tells each error once: who sends must not swallow what who receives has to tell.
    def serve(tls):
        receive_exactly(tls, 5)
        tls.setsockopt(*RESET_AT_CLOSE)

    async def script(connection):
        assert await connection.send(b"hello")
        await asyncio.to_thread(was_reset, connection)
        await connection.send_eof()
        with pytest.raises(NetworkError, match="Connection reset by peer"):
            await connection.receive()

    with tls_peer(certificate, serve, version) as target:
        talk(target, script)


def was_reset(connection):
    """Wait until the system knows that `connection` is reset, and leave it to be told."""
    poll = select.poll()
    poll.register(connection._socket, 0)
    (found,) = poll.poll(DEADLINE * 1000)
    assert found[1] & select.POLLERR


# Peers that do not read


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_a_peer_that_sends_but_does_not_read_is_received_from(certificate, version):
    data = os.urandom(8 * MEBIBYTE)
    got_all = threading.Event()

    def serve(tls):
        tls.sendall(data)
        assert got_all.wait(DEADLINE)
        received.append(receive_all(tls))

    async def script(connection):
        sending = asyncio.create_task(connection.send(data))
        got = b""
        while len(got) < len(data):
            got += await connection.receive()
        assert not sending.done()
        got_all.set()
        assert await sending
        await connection.send_eof()
        assert await connection.receive() == b""
        return got

    received = []
    with tls_peer(certificate, serve, version) as target:
        assert talk(target, script) == data
    assert received == [data]


@EACH_VERSION
@pytest.mark.usefixtures("trusted")
def test_two_that_send_at_the_same_time_send_one_after_the_other(certificate, version):
    first, second = bytes(4 * MEBIBYTE), b"x" * (4 * MEBIBYTE)
    both_began = threading.Event()

    def serve(tls):
        assert both_began.wait(DEADLINE)
        received.append(receive_all(tls))

    async def script(connection):
        sending = [asyncio.create_task(connection.send(data)) for data in (first, second)]
        for _ in range(5):
            await asyncio.sleep(0)
        both_began.set()
        assert await asyncio.gather(*sending) == [True, True]
        await connection.send_eof()
        assert await connection.receive() == b""

    received = []
    with tls_peer(certificate, serve, version) as target:
        talk(target, script)
    assert received == [first + second]


@pytest.mark.usefixtures("trusted")
def test_a_peer_that_does_not_read_keeps_memory_bounded(certificate):
    enough = threading.Event()

    def serve(tls):
        tls.sendall(b"ready")
        assert enough.wait(DEADLINE)
        count = 0
        while data := tls.recv(MEBIBYTE):
            count += len(data)
        tls.sendall(str(count).encode())

    def feed():
        with process.stdin:
            for _ in range(64):
                process.stdin.write(bytes(MEBIBYTE))
                written.append(MEBIBYTE)

    def is_stuck():
        counts.append(sum(written))
        return len(counts) > 10 and len(set(counts[-10:])) == 1

    written, counts = [], []
    with (
        tls_peer(certificate, serve) as target,
        start(ECHOPROTO, "send", str(target)) as process,
    ):
        try:
            assert printed(process) == b"ready"
            before = memory(process)
            feeder = threading.Thread(target=feed)
            feeder.start()
            eventually(is_stuck, "it takes no more input")
            assert sum(written) < 32 * MEBIBYTE
            assert memory(process) - before < 16 * MEBIBYTE
        finally:
            enough.set()
        assert process.stdout.read() == str(64 * MEBIBYTE).encode()
        feeder.join(DEADLINE)
        assert process.wait(DEADLINE) == 0


def memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
