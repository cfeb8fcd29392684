"""`twistd echo` as an operator meets it: options, log, errors, daemon, end."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

import support
from peers import RESET_AT_CLOSE
from support import (
    BIN,
    DEADLINE,
    Output,
    connect,
    eventually,
    receive_all,
    receive_exactly,
    run,
    serve,
    start,
)


def twistd(*arguments, **kwargs):
    return run(BIN / "twistd", *arguments, **kwargs)


def messages(log):
    """What the log says, without the times, until a signal stops the server."""
    return re.findall(r"\[echoproto#info\] (.+)", log.partition("Received SIG")[0])


def test_it_is_listed_in_twistds_help():
    assert re.search(rb"^ +echo +An echo service", twistd("--help").stdout, re.MULTILINE)


def test_each_connection_is_logged_from_its_first_to_its_last_byte():
    with serve() as server:
        with connect(server.port) as sock:
            host, port = sock.getsockname()
            sock.sendall(b"one\ntwo\r\nrest")
            receive_exactly(sock, 13)
        server.log.wait_for("disconnected")
        log = server.stop()
    assert messages(log) == [
        f"listening on 127.0.0.1:{server.port}",
        f"[1] {host}:{port} connected",
        support.matching(
            rf"\[1\] {host}:{port} disconnected: 13 bytes, \d+\.\d{{3}} s: "
            "closed by the client"
        ),
    ]
    assert "Traceback" not in log


def test_a_connection_that_is_reset_is_logged_in_one_line():
    with serve() as server:
        with connect(server.port) as sock:
            sock.sendall(b"hello")
            receive_exactly(sock, 5)
            sock.setsockopt(*RESET_AT_CLOSE)
        server.log.wait_for(r"disconnected: 5 bytes, .* s: reset by the client")
        assert "Traceback" not in server.stop()


def test_lines_are_logged_quoted_so_that_none_can_forge_another():
    with serve("--log-lines") as server:
        with connect(server.port) as sock:
            sock.sendall("héllo\x1b[2J\u2028'quoted'{format}\n".encode() + b"\xff\0\n")
            sock.sendall(b"x" * 20000 + b"\nlast\n")
            sock.shutdown(socket.SHUT_WR)
            receive_all(sock)
        server.log.wait_for("disconnected")
        log = server.stop()
    _, _, first, second, long, last, _ = messages(log)
    assert first == (r"""[1] b"h\xc3\xa9llo\x1b[2J\xe2\x80\xa8'quoted'{format}" """.rstrip())
    assert second == r"[1] b'\xff\x00'"
    assert long == f"[1] a line of more than 16384 bytes: b'{'x' * 32}'..."
    assert last == "[1] b'last'"
    assert log.isascii()
    assert "Traceback" not in log


def test_it_listens_wherever_it_is_told_to(tmp_path):
    path = tmp_path / "echo.sock"
    where = ["127.0.0.1:0", "localhost:0", "tcp:0:interface=127.0.0.1", f"unix:{path}"]
    addresses = 5 if support.has_ipv6() else 4  # localhost may be two
    with serve(listen=where, listeners=addresses) as server:
        for line, port in zip(messages(server.log.text), server.ports, strict=False):
            if f"unix:{path}" in line:
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(str(path))
            else:
                sock = connect(port, "::1" if "[::1]" in line else "127.0.0.1")
            with closing(sock):
                sock.sendall(b"hello")
                assert receive_exactly(sock, 5) == b"hello"
        server.stop()


def test_without_listen_it_is_port_2020_of_loopback():
    from echoproto.server.options import Options

    options = Options()
    options.parseOptions([])
    expected = ["tcp:2020:interface=127.0.0.1"]
    if support.has_ipv6():
        expected.append(r"tcp6:2020:interface=\:\:1")
    assert list(options.settings.endpoints) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nosuch"], "option --nosuch not recognized"),
        (["--mode", "loud"], "--mode loud: give stream or line"),
        (["--telnet", "maybe"], "--telnet maybe: give auto, always or never"),
        (["-t", ""], "--telnet '': give auto, always or never"),
        (["extra"], "unexpected argument 'extra': echo takes only options"),
        (["-l", "65536"], "--listen 65536: a port is at most 65535"),
        (["-l", "nonsense"], "--listen nonsense: give PORT, HOST:PORT, [IPV6]:PORT, or a Twisted"),
        (
            ["-l", "tls://localhost:2020"],
            "--listen tls://localhost:2020: URLs are for the client; ",
        ),
        (["-l", "::1:2020"], "--listen ::1:2020: give PORT, HOST:PORT, [IPV6]:PORT, or a Twisted"),
        (["-l", ":2020"], "--listen :2020: give PORT, HOST:PORT, [IPV6]:PORT, or a Twisted"),
        (["-l", "carrier-pigeon:x=1"], "--listen carrier-pigeon:x=1: give PORT, HOST:PORT"),
        (
            ["-l", "no.such.invalid:1"],
            "--listen no.such.invalid:1: no address for host 'no.such.invalid': ",
        ),
        (["-l", "localhost.:x y"], "--listen 'localhost.:x y': give PORT, HOST:PORT"),
        (["-l", ""], "--listen '': give PORT, HOST:PORT"),
        (["-l", "a\nb"], r"--listen 'a\nb': give PORT, HOST:PORT"),
        (["-l", "tcp:\x1b[2J"], r"--listen 'tcp:\x1b[2J': "),
        (["--socket-buffer", " 1"], "--socket-buffer ' 1': give a number of bytes"),
        (["-l", "tcp:port=x"], "--listen tcp:port=x: "),
        (["-l", "tcp"], "--listen tcp: "),
        (["-l", "ssl:0:privateKey=/nosuch.pem"], "--listen ssl:0:privateKey=/nosuch.pem: "),
    ],
)
def test_a_wrong_option_is_one_clear_line_and_status_2(options, message, tmp_path):
    done = twistd("-n", "echo", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode().startswith(f"twistd echo: {message}")
    assert done.stderr.count(b"\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_one_clear_line_and_no_traceback(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = twistd("-n", "echo", "-l", f"127.0.0.1:{port}", cwd=tmp_path)
    assert done.returncode == 1
    output = (done.stdout + done.stderr).decode()
    assert output.count(f"cannot listen on 127.0.0.1:{port}: Address already in use") == 1
    assert "Traceback" not in output
    assert not list(tmp_path.iterdir())


def test_a_path_where_no_socket_can_be_is_one_clear_line():
    done = twistd("-n", "--pidfile=", "echo", "-l", "unix:/nosuch/echo.sock")
    assert done.returncode == 1
    assert b"cannot listen on unix:/nosuch/echo.sock: No such file" in done.stdout
    assert b"Traceback" not in done.stdout + done.stderr


@pytest.fixture
def daemon(tmp_path):
    """Start `twistd echo` as a daemon, on a Unix socket: it gives its pid and its folder."""

    def start(*options):
        done = twistd(
            *["--pidfile", tmp_path / "pid", "--logfile", tmp_path / "log"],
            *["--rundir", tmp_path, "echo", *options],
        )
        if (tmp_path / "pid").exists():
            started.append(int((tmp_path / "pid").read_text()))
        return done

    started = []
    yield start
    for pid in started:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)


def test_it_runs_as_a_daemon_and_ends_when_told_to(daemon, tmp_path):
    done = daemon("-l", f"unix:{tmp_path}/echo.sock")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    pid = int((tmp_path / "pid").read_text())
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(str(tmp_path / "echo.sock"))
        sock.sendall(b"hello")
        assert receive_exactly(sock, 5) == b"hello"
        os.kill(pid, signal.SIGTERM)
        assert receive_all(sock) == b""
    eventually(lambda: not (tmp_path / "pid").exists(), "the daemon removes its pid file")
    log = (tmp_path / "log").read_text()
    assert "closed by the server" in log
    assert "Traceback" not in log


def test_a_daemon_that_cannot_listen_says_so_to_who_started_it(daemon, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = daemon("-l", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert b"cannot listen on 127.0.0.1:" in done.stderr
    # The daemon tells who started it, and then cleans up and logs it.
    eventually(lambda: not (tmp_path / "pid").exists(), "the daemon removes its pid file")
    log = tmp_path / "log"
    eventually(lambda: "Address already in use" in log.read_text(), "the daemon logs why")
    assert "Traceback" not in log.read_text()


def test_sigterm_delivers_what_is_in_flight():
    message = bytes(range(256)) * 4096
    with serve() as server, ExitStack() as stack:
        in_flight = []
        for _ in range(10):
            sock = stack.enter_context(connect(server.port))
            sock.sendall(message[:100])
            receive_exactly(sock, 100)
            # Fill every buffer on the way, so that the server has bytes to read and to send.
            sock.setblocking(False)
            sent = 0
            with suppress(BlockingIOError):
                while sent < 64 * len(message):
                    sent += sock.send(message)
            sock.settimeout(DEADLINE)
            in_flight.append((sock, sent))
        server.process.send_signal(signal.SIGTERM)
        with ThreadPoolExecutor(10) as pool:
            received = list(pool.map(lambda each: len(receive_all(each[0])), in_flight))
        assert received == [sent for _, sent in in_flight]
        assert server.process.wait(DEADLINE) == 0
        assert server.log.wait_for_end().count("closed by the server") == 10


def test_sigterm_ends_with_a_client_that_never_reads():
    with serve() as server, connect(server.port) as sock:
        sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            sock.sendall(b"x" * (64 << 20))
        log = server.stop()
    assert "aborted by the server" in log
    assert "Traceback" not in log


def test_a_connection_that_is_refused_by_tls_leaves_no_traceback(certificate):
    with serve(listen=[f"ssl:0:interface=127.0.0.1:privateKey={certificate}"]) as server:
        with connect(server.port) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            receive_all(sock)
        server.log.wait_for(r"disconnected: 0 bytes, .* s: TLS: http request")
        assert "Traceback" not in server.stop()


def test_a_unix_client_s_name_cannot_forge_a_log_line(tmp_path):
    with serve(listen=[f"unix:{tmp_path}/echo.sock"]) as server:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(b"\0name\r\n\x1b[2K[echoproto#info] [99] forged")
            sock.connect(str(tmp_path / "echo.sock"))
        server.log.wait_for("disconnected")
        log = server.stop()
    name = r"unix:\x00name\r\n\x1b[2K[echoproto#info] [99] forged"
    assert messages(log)[1] == f"[1] {name} connected"
    assert len(messages(log)) == 3


STARTTLS = """
import sys
from twisted.internet import reactor, ssl
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol

class StartTLS(LineProtocol):
    def lineReceived(self, line):
        if line == b"starttls":
            self.sendLine(b"go ahead")
            self.transport.startTLS(ssl.DefaultOpenSSLContextFactory(sys.argv[1], sys.argv[1]))
        elif line == b"quit":
            self.sendLine(b"x" * 1_000_000)
            self.transport.loseConnection()

port = reactor.listenTCP(0, LineFactory(StartTLS), interface="127.0.0.1")
print("port", port.getHost().port, flush=True)
reactor.run()
"""


def test_after_start_tls_a_protocol_of_one_s_own_can_still_close(certificate):
    with support.start(sys.executable, "-c", STARTTLS, certificate) as process:
        port = int(process.stdout.readline().split()[1])
        with connect(port) as sock:
            sock.sendall(b"starttls\r\n")
            assert receive_exactly(sock, 10) == b"go ahead\r\n"
            context = ssl.create_default_context(cafile=certificate)
            context.check_hostname = False
            with context.wrap_socket(sock) as secure:
                secure.sendall(b"quit\r\n")
                assert len(receive_all(secure)) == 1_000_002


@pytest.mark.parametrize("reactor", ["uvloop", "epoll"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_what_waits_to_be_accepted_when_it_stops_is_answered(reactor, kind, tmp_path):
    where = "127.0.0.1:0" if kind == "tcp" else f"unix:{tmp_path}/echo.sock"
    with serve(listen=[where], reactor=reactor) as server, ExitStack() as clients:
        if kind == "tcp":
            address, family = ("127.0.0.1", server.port), socket.AF_INET
        else:
            address, family = f"{tmp_path}/echo.sock", socket.AF_UNIX
        with socket.socket(family) as first:
            first.connect(address)
            first.sendall(b"x")
            assert receive_exactly(first, 1) == b"x"  # the reactor runs
        server.process.send_signal(signal.SIGSTOP)
        waiting = []
        for number in range(100):
            client = clients.enter_context(socket.socket(family))
            client.settimeout(DEADLINE)
            client.connect(address)
            client.sendall(b"%d" % number)
            waiting.append(client)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        assert [receive_all(client) for client in waiting] == [b"%d" % n for n in range(100)]
        for client in waiting:
            client.close()
        assert server.process.wait(DEADLINE) == 0
        assert "Traceback" not in server.log.wait_for_end()


@pytest.mark.parametrize("reactor", ["uvloop", "epoll"])
def test_twist_runs_it_too(reactor):
    options = ["--log-format=text", "--reactor", reactor, "echo", "--listen", "127.0.0.1:0"]
    with start(BIN / "twist", *options, stderr=subprocess.STDOUT) as process:
        log = Output(process.stdout)
        port = int(log.wait_for(r"listening on 127\.0\.0\.1:(\d+)")[0][1])
        with closing(connect(port)) as sock:
            sock.sendall(b"hello")
            assert receive_exactly(sock, 5) == b"hello"
        process.send_signal(signal.SIGTERM)
        assert "disconnected: 5 bytes" in log.wait_for_end()
