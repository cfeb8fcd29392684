"""`echoproto` as a pipe: bytes in, bytes out, exit status."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from peers import peer
from support import BIN, DEADLINE, eventually, receive_all, receive_exactly, run, start

ECHOPROTO = BIN / "echoproto"
MEBIBYTE = 1 << 20


def echoproto(*words, **kwargs):
    return run(ECHOPROTO, *words, **kwargs)


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


def test_it_connects_to_a_unix_socket(tmp_path):
    path = str(tmp_path / "peer.sock")
    with peer(lambda sock: sock.sendall(receive_all(sock)[::-1]), socket.AF_UNIX, path):
        done = echoproto(f"unix://{path}", input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"olleh")


def test_files_are_sent_one_after_the_other(server, tmp_path):
    (tmp_path / "one").write_bytes(b"1\r\n")
    (tmp_path / "two").write_bytes(b"\xff2")
    target = f"127.0.0.1:{server.port}"
    done = echoproto("send", target, "one", "-", "two", cwd=tmp_path, input=b"stdin")
    assert (done.returncode, done.stdout) == (0, b"1\r\nstdin\xff2")


def test_with_c_a_line_feed_is_sent_as_cr_lf(server):
    done = echoproto("-C", f"127.0.0.1:{server.port}", input=b"a\nb\r\n\n")
    assert done.stdout == b"a\r\nb\r\n\r\n"


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
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

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


def test_an_output_that_is_closed_ends_it_quietly(server):
    with start(ECHOPROTO, f"127.0.0.1:{server.port}", stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["127.0.0.1", "1"], 1, "echoproto: cannot connect to 127.0.0.1:1: Connection refused"),
        (["localhost", "1"], 1, "echoproto: cannot connect to localhost:1: Connection refused"),
        (["no.such.invalid", "1"], 1, "echoproto: cannot find host no.such.invalid: "),
        (["x" * 70, "1"], 1, "echoproto: "),
        (["unix:///nosuch"], 1, "echoproto: cannot connect to /nosuch: No such file or directory"),
        (["localhost"], 2, "Error: localhost: the port is missing; give HOST PORT, "),
        (["localhost", "1", "2"], 2, "Error: unexpected argument '2' after the target localhost:1"),
        (["--nosuch"], 2, "Error: No such option"),
        (["-w", "soon", "localhost", "1"], 2, "Error: Invalid value for '-w' / '--wait': "),
        (["-w", "nan", "localhost", "1"], 2, "Error: Invalid value for '-w' / '--wait': "),
        (["-w", "0", "localhost", "1"], 2, "Error: Invalid value for '-w' / '--wait': "),
        (["send"], 2, "Error: Missing argument 'TARGET [FILE]...'"),
        (["send", "localhost:1", "/nosuch"], 2, "Error: Invalid value: File '/nosuch' does not"),
        (["send", "localhost:1", "/"], 2, "Error: Invalid value: File '/' is a directory."),
    ],
)
def test_what_is_wrong_is_said_in_a_clear_line(words, status, message):
    done = echoproto(*words)
    assert done.returncode == status
    assert done.stdout == b""
    assert done.stderr.decode().splitlines()[-1].startswith(message)
    if status == 1:
        assert done.stderr.count(b"\n") == 1


def test_connecting_takes_no_longer_than_it_may():
    # A listener whose queue is full does not answer.
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex((host, port))
        done = echoproto("-w", "0.2", host, str(port))
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"echoproto: cannot connect to {host}:{port}: no answer in 0.2 seconds\n"
    )


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


def memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_also_when_nobody_reads_its_output(number, status):
    with stuck() as process:
        process.send_signal(number)
        assert process.wait(DEADLINE) == status


def test_it_is_idle_also_when_nobody_reads_its_output():
    with stuck("-i", "0.5") as process:
        assert process.wait(DEADLINE) == 1
        assert b"idle for 0.5 seconds" in process.stderr.read()


@pytest.mark.parametrize(("number", "name"), [(0, "input"), (1, "output")])
def test_a_standard_stream_that_is_closed_is_said(number, name):
    done = run("sh", "-c", f'exec "$0" 127.0.0.1 1 {number}<&-', ECHOPROTO)
    assert done.returncode == 2
    assert done.stderr.decode() == f"echoproto: standard {name} is closed\n"
