"""The load of `echoproto bench`: depth, rate, and each byte of the echo checked."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

import pytest

from bench_peer import bench, echo, peer
from peers import RESET_AT_CLOSE
from support import DEADLINE, receive_all, receive_exactly

pytestmark = pytest.mark.long


@pytest.mark.parametrize("depth", [1, 100])
@pytest.mark.parametrize("rate", [[], ["-R", "2000"]], ids=["closed loop", "open loop"])
def test_however_the_echo_is_cut_into_pieces_nothing_is_wrong(depth, rate):
    def serve(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := sock.recv(1 + depth * 9):  # no multiple of a message's size
            for at in range(0, len(data), 7 + depth * 5):
                sock.sendall(data[at : at + 7 + depth * 5])

    with peer(serve) as target:
        words = ["-c", "3", "--depth", str(depth), "-s", "20", "-d", "0.3", *rate]
        status, result, said = bench(target, *words)
    assert (status, said) == (0, "")
    assert result["bytes"] == 20 * result["messages"] > 0


def test_there_are_never_more_than_depth_messages_in_flight():
    most = []

    def serve(sock):
        in_flight = 0
        while data := sock.recv(65536):
            in_flight += len(data)
            most.append(in_flight)
            for at in range(0, len(data), 64):
                sock.sendall(data[at : at + 64])
                in_flight -= len(data[at : at + 64])

    for rate in [], ["-R", "1000"]:
        with peer(serve) as target:
            assert bench(target, "-c", "1", "--depth", "7", "-d", "0.2", *rate)[0] == 0
    assert max(most) == 7 * 64


def test_every_message_is_a_line_of_its_own():
    got = []

    def serve(sock):
        while data := sock.recv(65536):
            got.append(data)
            sock.sendall(data)

    for words, end in ([], b"\n"), (["-C"], b"\r\n"):
        with peer(serve) as target:
            assert bench(target, "-c", "1", "-s", "16", "-d", "0.1", *words)[0] == 0
        lines = b"".join(got).split(end)
        got.clear()
        assert lines.pop() == b""
        assert {len(line) for line in lines} == {16 - len(end)}
        assert all(line.isascii() and line.decode().isprintable() for line in lines)
        assert len({*lines[:100]}) == min(100, len(lines))


def test_connections_do_not_send_the_same():
    first = []

    def serve(sock):
        first.append(receive_exactly(sock, 64))
        sock.sendall(first[-1])
        echo()(sock)

    with peer(serve) as target:
        assert bench(target, "-c", "50", "-d", "0.1")[0] == 0
    assert len({*first}) == len(first) == 50


def once(change):
    """A change of one chunk, the tenth message."""
    return lambda data, so_far: change(data) if so_far == 9 * 64 else data


@pytest.mark.parametrize("rate", [[], ["-R", "1000"]], ids=["closed loop", "open loop"])
@pytest.mark.parametrize(
    ("change", "wrong", "lost", "first"),
    [
        (once(lambda data: data[:9] + b"." + data[10:]), 1, 0, "585 bytes: received '."),
        (
            once(lambda data: data[:-1] + b"\0"),
            1,
            0,
            "639 bytes: received '\\x00' instead of '\\x0a'",
        ),
        (once(lambda data: data + b"x"), 1, 0, "640 bytes: received 'x' instead of ''"),
        (once(lambda data: data[1:] + b"\n"), None, 0, "576 bytes: "),
        (once(lambda data: data[:63]), 0, 1, None),
        (once(lambda _: b""), 0, 64, None),
    ],
    ids=["changed", "line end changed", "added", "dropped", "end missing", "message missing"],
)
def test_what_is_not_echoed_as_it_was_sent_is_counted_and_shown(change, wrong, lost, first, rate):
    for seconds in ("0.1", "1", "10"):
        with peer(echo(change)) as target:
            status, result, said = bench(target, "-c", "1", "-d", seconds, *rate)
        if status == 1 or result["messages"] >= 10:
            break  # else the machine was too busy for ten messages in that time
    assert status == 1
    if not rate:  # where it is, what came due after it is lost as well
        assert result["lost_bytes"] == lost
    assert bool(lost) == bool(result["lost_bytes"])
    if lost:
        assert f"bytes lost: {result['lost_bytes']:,}, " in said
    if wrong is not None:
        assert result["wrong_bytes"] == wrong
    if first:
        assert (
            f"bytes wrong: {result['wrong_bytes']:,}, the first on connection 1 after {first}"
            in said
        )
    assert said.startswith(f"echoproto: {target}: ")
    assert said.count("\n") == 1


def test_a_server_that_changes_what_it_echoes_is_told_by_how_much():
    with peer(echo(lambda data, _: data.upper())) as target:
        status, result, said = bench(target, "-c", "3", "-d", "0.2", "-s", "1000")
    assert status == 1
    assert result["errors"] == {}
    assert 0 < result["wrong_bytes"] < result["bytes"]  # capitals and digits are right
    assert f"bytes wrong: {result['wrong_bytes']:,}, the first on connection " in said


def test_an_echo_that_comes_twice_is_wrong_also_where_all_messages_are_the_same():
    with peer(echo(lambda data, _: data * 2)) as target:
        status, result, _ = bench(target, "-c", "1", "-s", "1", "-d", "0.1")
    assert status == 1
    assert result["wrong_bytes"] > 0


def test_a_message_of_another_connection_is_wrong():
    waiting = []
    lock = threading.Lock()

    def serve(sock):
        while data := sock.recv(65536):
            with lock:
                waiting.append((sock, data))
                if len(waiting) < 2:
                    continue
                (one, its), (other, others) = waiting
                waiting.clear()
            one.sendall(others)
            other.sendall(its)

    with peer(serve) as target:
        status, result, _ = bench(target, "-c", "2", "-d", "0.1")
    assert status == 1
    assert result["wrong_bytes"] > 0


def close(sock):
    for _ in range(10):
        sock.sendall(receive_exactly(sock, 64))
    receive_exactly(sock, 64)  # closing with something unread would be a reset


def reset(sock):
    close(sock)
    sock.setsockopt(*RESET_AT_CLOSE)


@pytest.mark.parametrize(
    ("serve", "why"),
    [(close, "closed by the server"), (reset, "Connection reset by peer")],
    ids=["closed", "reset"],
)
def test_when_all_connections_are_lost_it_ends(serve, why):
    with peer(serve) as target:
        status, result, said = bench(target, "-c", "3", "-d", "1000")
    assert status == 1
    assert result["errors"] == {why: 3}
    assert result["lost_bytes"] == 3 * 64
    assert said.startswith(f"echoproto: {target}: {why} (3 of 3 connections); bytes lost: 192\n")
    assert result["duration"] < 1000


def test_when_one_connection_is_lost_the_others_go_on():
    doomed = []

    def serve(sock):
        if not doomed:
            doomed.append(sock)
            receive_exactly(sock, 64)
        else:
            echo()(sock)

    with peer(serve) as target:
        status, result, said = bench(target, "-c", "3", "-d", "0.3")
    assert status == 1
    assert result["errors"] == {"closed by the server": 1}
    assert "closed by the server (1 of 3 connections)" in said
    assert result["duration"] >= 0.3
    assert result["messages"] > 10


def test_a_connection_that_cannot_be_made_is_counted():
    def serve(sock):
        with suppress(OSError):
            only_one.remove(1)
            echo()(sock)

    only_one = [1]
    with socket.socket() as listener:
        listener.settimeout(DEADLINE)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        host, port = listener.getsockname()

        def accept():
            with listener.accept()[0] as sock:
                listener.close()  # whoever waits to be accepted is refused, or reset
                echo()(sock)

        thread = threading.Thread(target=accept)
        thread.start()
        status, result, said = bench(host, str(port), "-c", "200", "-d", "0.2")
        thread.join(DEADLINE)
    assert status == 1
    assert sum(result["errors"].values()) == 199
    assert "(" in said
    assert result["messages"] > 0


def test_in_open_loop_every_message_is_sent_that_comes_due(server):
    target = f"127.0.0.1:{server.port}"
    for rate, count in ("500", 150), ("3", 1), ("7", 3), ("10000", 3000):
        status, result, said = bench(target, "-c", "7", "-R", rate, "-d", "0.3")
        assert (status, said) == (0, "")
        assert (result["rate"], result["messages"]) == (float(rate), count)


def test_in_open_loop_what_waits_for_a_slow_answer_counts_from_when_it_was_due():
    # Without that, one message of a hundred would have been slow, and the median fast.
    def serve(sock):
        data = receive_exactly(sock, 64)
        threading.Event().wait(1.0)  # how slow it is
        sock.sendall(data)
        echo()(sock)

    with peer(serve) as target:
        status, result, _ = bench(target, "-c", "1", "-R", "100", "-d", "1")
    assert status == 0
    assert result["messages"] == 100
    assert result["latency"]["max"] >= 1.0
    assert result["latency"]["p50"] >= 0.4
    assert result["latency"]["min"] < result["latency"]["p50"]


def test_what_never_comes_back_is_lost():
    with peer(receive_all) as target:
        status, result, said = bench(target, "-c", "2", "-R", "20", "-d", "0.5")
    assert status == 1
    assert said == (
        f"echoproto: {target}: bytes lost: 128, which did not come back in 5 seconds; "
        "bytes not sent: 512 (the server did not take them, or answered too late for --depth)\n"
    )
    assert (result["messages"], result["lost_bytes"], result["unsent_bytes"]) == (0, 128, 512)
    assert set(result["latency"].values()) == {None}


def test_what_the_server_does_not_take_is_not_sent_rather_than_lost():
    def serve(sock):
        receive_exactly(sock, 64)
        sock.shutdown(socket.SHUT_WR)
        threading.Event().wait(0.2)

    size = 1 << 24
    with peer(serve) as target:
        status, result, said = bench(target, "-c", "1", "-s", str(size), "-d", "0.1")
    assert status == 1
    assert result["lost_bytes"] > 0
    assert result["unsent_bytes"] > 0
    assert result["lost_bytes"] + result["unsent_bytes"] == size
    assert f"bytes not sent: {result['unsent_bytes']:,}" in said


def test_a_failure_of_tls_in_the_run_is_named(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.sendall(receive_exactly(tls, 64))
            receive_exactly(tls, 64)
            with socket.socket(fileno=tls.detach()) as plain:
                plain.sendall(b"\x17\x03\x03\0\x20" + b"x" * 32)  # a record that nobody encrypted
                receive_all(plain)

    with peer(serve) as target:
        status, result, _ = bench(f"tls://{target}", "-k", "-c", "2", "-d", "1000")
    assert status == 1
    assert result["errors"] == {"TLS: decryption failed or bad record mac": 2}
