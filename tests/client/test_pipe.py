"""`echoproto` as a pipe: bytes in, bytes out, exit status."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from peers import RESET_AT_CLOSE, peer
from support import (
    BIN,
    DEADLINE,
    echoproto,
    eventually,
    memory,
    receive_all,
    receive_exactly,
    start,
)

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20


@contextmanager
def stuck(*options):
    """A pipe whose output nobody reads, on a peer that floods it, when it can print no more."""

    def serve(sock):
        with suppress(OSError):
            while True:
                sock.sendall(b"x" * 65536)

    def printed():
        count = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def is_stuck():
        counts.append(printed())
        return 0 < counts[-2] == counts[-1]

    counts = [0]
    with (
        peer(serve) as (host, port),
        start(ECHOPROTO, *options, host, str(port), stderr=subprocess.PIPE) as process,
    ):
        eventually(is_stuck, "the output is full")
        yield process


def test_it_sends_standard_input_and_prints_what_comes_back_exactly(server):
    data = bytes(range(256)) * 1000 + b"no line end"
    for words in (
        ["127.0.0.1", str(server.port)],
        [f"127.0.0.1:{server.port}"],
        [f"tcp://127.0.0.1:{server.port}"],
        ["connect", "127.0.0.1", str(server.port)],
        ["send", "127.0.0.1", str(server.port)],
        ["send", f"127.0.0.1:{server.port}", "-"],
    ):
        done = echoproto(*words, input=data)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == data


def test_without_a_target_it_pipes_through_a_server_of_its_own():
    done = echoproto(input=b"hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")


def test_its_own_server_ends_with_it():
    with start(ECHOPROTO) as process:
        process.stdin.write(b"hello")
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 5) == b"hello"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 1
        process.kill()  # the hardest end: nothing is told to the server but by the closing itself
    eventually(lambda: not Path(f"/proc/{children[0]}").exists(), "the server ends")


def test_input_that_comes_slowly_is_sent_as_it_comes(server):
    with start(ECHOPROTO, f"127.0.0.1:{server.port}") as process:
        for _ in range(3):
            process.stdin.write(b"no line end")
            process.stdin.flush()
            assert os.read(process.stdout.fileno(), 100) == b"no line end"
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


def test_it_ends_when_the_peer_closes_although_input_goes_on():
    with (
        peer(lambda sock: sock.sendall(b"goodbye")) as (host, port),
        start(ECHOPROTO, host, str(port)) as process,
    ):
        assert process.wait(DEADLINE) == 0
        assert process.stdout.read() == b"goodbye"


def test_what_a_peer_says_before_it_refuses_more_is_printed():
    # A peer that answers and closes while we are still sending: its answer must not be lost.
    def serve(sock):
        receive_exactly(sock, MEBIBYTE)
        sock.sendall(b"too much")
        sock.recv(1, socket.MSG_PEEK)  # there is more: closing with that unread is a reset

    with peer(serve) as (host, port):
        done = echoproto(host, str(port), input=b"x" * (64 * MEBIBYTE))
    assert done.stdout == b"too much"
    assert done.returncode == 1
    assert done.stderr.decode() == f"echoproto: {host}:{port}: Connection reset by peer\n"


def test_a_connection_that_is_reset_is_one_clear_line_and_status_1():
    def serve(sock):
        sock.sendall(b"partial")
        receive_exactly(sock, 1)
        sock.setsockopt(*RESET_AT_CLOSE)

    with peer(serve) as (host, port):
        done = echoproto(host, str(port), input=b"x")
    assert done.returncode == 1
    assert done.stdout == b"partial"
    assert done.stderr.decode() == f"echoproto: {host}:{port}: Connection reset by peer\n"


def test_it_ends_when_it_is_idle_for_too_long():
    with (
        peer(receive_all) as (host, port),
        start(ECHOPROTO, "-i", "0.3", host, str(port), stderr=subprocess.PIPE) as process,
    ):
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read().decode() == f"echoproto: {host}:{port}: idle for 0.3 seconds\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_status_that_it_has(server, number, status):
    with start(ECHOPROTO, f"127.0.0.1:{server.port}", stderr=subprocess.PIPE) as process:
        process.stdin.write(b"x")
        process.stdin.flush()
        os.read(process.stdout.fileno(), 1)
        process.send_signal(number)
        assert process.wait(DEADLINE) == status
        assert process.stderr.read() == b""


def test_ctrl_c_at_a_terminal_ends_it_and_its_own_server_without_a_word():
    with start(ECHOPROTO, stderr=subprocess.PIPE, start_new_session=True) as process:
        process.stdin.write(b"x")
        process.stdin.flush()
        os.read(process.stdout.fileno(), 1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(DEADLINE) == 130
        assert process.stderr.read() == b""


@pytest.mark.long
def test_two_gigabytes_pass_in_constant_memory(server):
    size = 2 * 1024 * MEBIBYTE
    block = b"\xff\0" + os.urandom(MEBIBYTE - 2)  # which shows that it is no telnet
    received = hashlib.blake2b()
    sent = hashlib.blake2b()
    most = 0

    def feed():
        with process.stdin:
            for _ in range(size // MEBIBYTE):
                process.stdin.write(block)

    with start(ECHOPROTO, f"127.0.0.1:{server.port}") as process:
        feeder = threading.Thread(target=feed)
        feeder.start()
        count = 0
        while data := process.stdout.read(MEBIBYTE):
            received.update(data)
            if count == 0:
                first = memory(process)
            count += len(data)
            if not count % (64 * MEBIBYTE):
                most = max(most, memory(process))
        feeder.join(DEADLINE)
        assert process.wait(DEADLINE) == 0
    for _ in range(size // MEBIBYTE):
        sent.update(block)
    assert count == size
    assert received.digest() == sent.digest()
    assert most - first < 16 * MEBIBYTE


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_also_when_nobody_reads_its_output(number, status):
    with stuck() as process:
        process.send_signal(number)
        assert process.wait(DEADLINE) == status


def test_it_is_idle_also_when_nobody_reads_its_output():
    with stuck("-i", "0.5") as process:
        assert process.wait(DEADLINE) == 1
        assert b"idle for 0.5 seconds" in process.stderr.read()


# What is idle


@pytest.mark.long
def test_a_peer_that_reads_slowly_is_not_idle(tmp_path):
    (tmp_path / "file").write_bytes(bytes(8 * 32768))

    def serve(sock):
        while sock.recv(32768):
            threading.Event().wait(0.3)

    # On a Unix socket, what the peer has read is known; TCP's peer takes all of it at once.
    path = str(tmp_path / "socket")
    with peer(serve, socket.AF_UNIX, path):
        options = ["-i", "1", "--shutdown", "0"]
        done = echoproto("send", *options, f"unix://{path}", tmp_path / "file")
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_output_that_is_read_slowly_is_not_idle():
    # What has arrived is read in longer than the pipe may be idle; only the output shows it.
    size = 128 * 1024
    with (
        peer(lambda sock: sock.sendall(bytes(size))) as (host, port),
        start(ECHOPROTO, "-i", "0.4", "-d", host, str(port), stderr=subprocess.PIPE) as process,
    ):
        count = 0
        while data := os.read(process.stdout.fileno(), 8192):
            count += len(data)
            threading.Event().wait(0.1)
        assert process.wait(DEADLINE) == 0
        assert (count, process.stderr.read()) == (size, b"")
