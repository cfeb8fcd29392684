"""The signals that stop the server: it drains, ends with status 0, and a second one hurries it."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress

import pytest

from support import BIN, DEADLINE, Output, connect, receive_all, receive_exactly, serve, start


@pytest.mark.parametrize("reactor", ["uvloop", "epoll"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_clean_end_is_status_0(reactor, number):
    with serve(reactor=reactor) as server, connect(server.port) as sock:
        sock.sendall(b"hello")
        assert receive_exactly(sock, 5) == b"hello"
        server.process.send_signal(number)
        assert receive_all(sock) == b""
        assert server.process.wait(DEADLINE) == 0
        log = server.log.wait_for_end()
    assert f"Received {number.name}, shutting down." in log
    assert "closed by the server" in log


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once_and_without_a_traceback(second):
    with serve() as server, connect(server.port) as sock:
        sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            sock.sendall(b"x" * (64 << 20))
        server.process.send_signal(signal.SIGTERM)
        server.log.wait_for(r"\(TCP Port \d+ Closed\)")
        server.process.send_signal(second)
        assert server.process.wait(DEADLINE) == 0
        with pytest.raises(ConnectionResetError):  # without a second signal, nothing is reset
            receive_all(sock)
        log = server.log.wait_for_end()
    assert "aborted by the server" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("reactor", ["uvloop", "epoll"])
@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_sighup_delivers_what_is_in_flight_and_does_not_hurry(reactor, first):
    with serve(reactor=reactor) as server, connect(server.port) as sock:
        sock.settimeout(1.0)
        sent = 0
        with suppress(TimeoutError):
            while sent < 64 << 20:
                sent += sock.send(b"x" * 65536)
        server.process.send_signal(first)
        server.log.wait_for(r"\(TCP Port \d+ Closed\)")
        server.process.send_signal(signal.SIGHUP)
        server.log.wait_for("Received SIGHUP", 2 if first == signal.SIGHUP else 1)
        sock.settimeout(DEADLINE)
        assert len(receive_all(sock)) == sent
        assert server.process.wait(DEADLINE) == 0
        log = server.log.wait_for_end()
    assert "closed by the server" in log
    assert "Traceback" not in log


def test_sighup_stays_ignored_under_nohup():
    options = ["-n", "--pidfile=", "echo", "-l", "127.0.0.1:0"]
    with start("nohup", BIN / "twistd", *options, stderr=subprocess.STDOUT) as process:
        log = Output(process.stdout)
        port = int(log.wait_for(r"listening on 127\.0\.0\.1:(\d+)")[0][1])
        with connect(port) as sock:
            process.send_signal(signal.SIGHUP)
            sock.sendall(b"hello")
            assert receive_exactly(sock, 5) == b"hello"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert "SIGHUP" not in log.wait_for_end()
