"""Session files, replayed on our own server in its modes, and on servers of other projects."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import telnet_hosts
from echoproto.client.target import Target
from echoproto.wire.recorder import Recorder
from peers import talk
from support import echoproto, program, serve, watched

SESSIONS = Path(__file__).parent / "sessions"


def replay(name, target, *words):
    done = echoproto("replay", *words, SESSIONS / f"{name}.session", *target.split())
    assert (done.returncode, done.stdout.decode()) == (0, "")
    assert ": as recorded (" in done.stderr.decode()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stream", []),
        ("stream", ["--log-lines"]),
        ("stream", ["--telnet", "never"]),
        ("line", ["--mode", "line"]),
        ("telnet-auto", []),
        ("telnet-always", ["--telnet", "always"]),
        ("telnet", []),
        ("telnet", ["--telnet", "always"]),
    ],
)
def test_our_own_server_answers_as_recorded(name, options):
    with serve(*options) as server:
        replay(name, f"127.0.0.1:{server.port}", "--repeat", "3")
        if name == "line":
            server.log.wait_for(r"\[1\] .* disconnected: 3 lines, 19 bytes")


def test_our_own_server_on_tls_and_on_a_unix_socket_answers_as_recorded(tls_server, tmp_path):
    replay("telnet", f"telnets://localhost:{tls_server.port}", "-k")
    with serve(listen=[f"unix:{tmp_path}/echo.sock"]):
        replay("stream", f"unix:{tmp_path}/echo.sock")


def test_the_http_server_of_python_answers_as_recorded(tmp_path):
    (tmp_path / "file.txt").write_text("the file has 22 bytes\n")
    words = [sys.executable, "-u", "-m", "http.server", "0", "-b", "127.0.0.1"]
    with watched(*words, cwd=tmp_path) as (_, log):
        port = log.wait_for(r"port (\d+)")[0][1]
        replay("http", f"127.0.0.1:{port}", "--set", "file=file.txt")


def test_a_login_on_debian_s_telnetd_is_as_recorded(tmp_path):
    with telnet_hosts.inetutils_telnetd(tmp_path) as port:
        replay("login", f"127.0.0.1:{port}", "--set", f"password={telnet_hosts.PASSWORD}")


@contextmanager
def redis(folder):
    """A Redis without a port; gives its Unix socket."""
    path = folder / "redis.sock"
    words = [program("redis-server"), "--port", "0", "--unixsocket", path, "--dir", folder]
    with watched(*words, "--save", "") as (_, log):
        log.wait_for("[Rr]eady to accept connections")
        yield f"unix:{path}"


def test_redis_answers_as_recorded_also_as_the_load_of_a_bench(tmp_path):
    with redis(tmp_path) as target:
        replay("redis", target, "--repeat", "3")
        words = ["--session", SESSIONS / "redis.session", "-c", "2", "-d", "0.2", "--json"]
        done = echoproto("bench", *words, target)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["messages"] > 0


def test_what_was_recorded_on_a_connection_replays(server, tmp_path):
    target = Target("127.0.0.1", server.port)
    recorder = Recorder(target=str(target), began=time.time())
    pieces = [b"hello\r\n", b"\xff\0prompt> ", b"\x1b[2J\n", "grüße ${x}\\ \r\n".encode(), b"end"]

    async def converse(connection):
        text = recorder.header()
        for piece in pieces:
            await connection.send(piece)
            text += recorder.sent(piece, time.time())
            came = b""
            while len(came) < len(piece):
                came += await connection.receive()
            text += recorder.received(came, time.time())
        await connection.send_eof()
        text += recorder.sent_eof(time.time())
        assert await connection.receive() == b""
        return text + recorder.received_eof(time.time())

    path = tmp_path / "a.session"
    path.write_text(talk(target, converse))
    done = echoproto("replay", path)
    assert (done.returncode, done.stdout) == (0, b"")
