"""Whole programs: twistd, in the background or not, twist, signals, processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from support import BIN, DEADLINE, connect, eventually, receive_all, run, watched

pytestmark = pytest.mark.long

KINDS = ["uvloop", "epoll"]


def script(kind, body):
    """A Python program on a reactor of that kind."""
    where = {"uvloop": "echoproto.reactor.reactor", "epoll": "twisted.internet.epollreactor"}[kind]
    head = f"from {where} import install\ninstall()\nfrom twisted.internet import reactor\n"
    return [sys.executable, "-c", head + body]


NO_UVLOOP = {
    "not installed": "import sys; sys.modules['uvloop'] = None",
    "broken library": """
import pathlib, sys
here = pathlib.Path(__file__).parent / "uvloop"
here.mkdir(exist_ok=True)
(here / "__init__.py").write_text("import ctypes; ctypes.CDLL(__file__)")
""",
    "wrong library": """
import pathlib, sys
here = pathlib.Path(__file__).parent / "uvloop"
here.mkdir(exist_ok=True)
(here / "__init__.py").write_text("from . import loop")
(here / "loop.so").write_text("no library")
""",
    "no loop": "import uvloop; uvloop.Loop.add_reader = None",
}


@pytest.fixture(params=NO_UVLOOP)
def without_uvloop(request, tmp_path):
    """The environment of a program for which uvloop is not installed, or does not work."""
    (tmp_path / "sitecustomize.py").write_text(NO_UVLOOP[request.param])
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}


def port_in(log):
    return int(log.wait_for(r"(?:starting|listening) on (?:\S+:)?(\d+)(?:\"|$)")[0][1])


def test_twistd_serves_in_the_background(tmp_path):
    pidfile, logfile = tmp_path / "pid", tmp_path / "log"
    command = [BIN / "twistd", "--pidfile", pidfile, "--logfile", logfile, "--reactor", "uvloop",
               "echo", "--listen", "127.0.0.1:0"]  # fmt: skip
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    pid = int(eventually(lambda: pidfile.exists() and pidfile.read_text(), "a pid"))
    try:
        found = eventually(
            lambda: re.search(r"listening on 127.0.0.1:(\d+)", logfile.read_text()), "a port"
        )
        with connect(int(found[1])) as client:
            client.sendall(b"hello\r\n")
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"hello\r\n"
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not Path(f"/proc/{pid}").exists() or not pidfile.exists(), "its end")
    log = logfile.read_text()
    assert "reactor class: echoproto.reactor.reactor.UvloopReactor" in log
    assert "Traceback" not in log


def test_what_listens_before_the_fork_serves_after_it(tmp_path):
    # A service that starts with privileges listens before twistd forks.
    (tmp_path / "early.tac").write_text("""
from twisted.application.service import Application
from twisted.application.internet import TCPServer
from twisted.internet.protocol import Factory, Protocol
class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)
application = Application("early")
TCPServer(0, Factory.forProtocol(Echo), interface="127.0.0.1").setServiceParent(application)
""")
    pidfile, logfile = tmp_path / "pid", tmp_path / "log"
    done = run(BIN / "twistd", "--pidfile", pidfile, "--logfile", logfile, "--reactor", "uvloop",
               "-y", "early.tac", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pid = int(eventually(lambda: pidfile.exists() and pidfile.read_text(), "a pid"))
    try:
        found = eventually(
            lambda: re.search(r"Factory starting on (\d+)", logfile.read_text()), "a port"
        )
        with connect(int(found[1])) as client:
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pidfile.exists(), "its end")
    assert "Traceback" not in logfile.read_text()


def test_another_plugin_runs_on_it(tmp_path):
    (tmp_path / "hello.txt").write_text("hello")
    command = [BIN / "twistd", "-n", "--pidfile=", "--reactor", "uvloop", "web",
               "--listen", "tcp:0:interface=127.0.0.1", "--path", tmp_path]  # fmt: skip
    with watched(*command, cwd=tmp_path) as (_, log):
        with connect(port_in(log)) as client:
            client.sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            answer = receive_all(client)
        assert answer.startswith(b"HTTP/1.0 200 OK")
        assert answer.endswith(b"\r\n\r\nhello")


def test_twist_runs_on_it(tmp_path):
    command = [BIN / "twist", "--reactor", "uvloop", "web", "--listen",
               "tcp:0:interface=127.0.0.1", "--path", tmp_path]  # fmt: skip
    with watched(*command, cwd=tmp_path) as (process, log):
        with connect(port_in(log)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert receive_all(client).startswith(b"HTTP/1.0 200 OK")
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
        assert "Traceback" not in log.wait_for_end()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_program(kind, number):
    body = """
reactor.callWhenRunning(print, "runs", flush=True)
reactor.addSystemEventTrigger("after", "shutdown", print, "ends", flush=True)
reactor.run()
print("over")
"""
    with watched(*script(kind, body)) as (process, log):
        log.wait_for("runs")
        process.send_signal(number)
        process.wait(DEADLINE)
        # A program that twistd does not run ends as its own last line says.
        assert (process.returncode, log.wait_for_end()) == (0, "runs\nends\nover\n")


@pytest.mark.parametrize("kind", KINDS)
def test_processes_end_with_their_output_and_status(kind):
    body = """
import sys
from twisted.internet.defer import gatherResults
from twisted.internet.utils import getProcessOutputAndValue

def run(number):
    return getProcessOutputAndValue("/bin/sh", ["-c", f"echo {number}; exit {number}"])

def show(results):
    print([(int(out), status) for out, _, status in results] == [(n, n) for n in range(20)])
    reactor.stop()

reactor.callWhenRunning(
    lambda: gatherResults([run(number) for number in range(20)]).addBoth(show)
)
reactor.run()
"""
    done = run(*script(kind, body))
    assert (done.stdout, done.stderr) == (b"True\n", b"")


def test_processes_of_twisted_end_after_one_of_asyncio():
    body = """
import asyncio
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessValue

async def both():
    process = await asyncio.create_subprocess_exec("/bin/true")
    print(await process.wait())
    print(await getProcessValue("/bin/true").asFuture(asyncio.get_running_loop()))

def start():
    ended = Deferred.fromFuture(asyncio.ensure_future(both()))
    ended.addTimeout(3, reactor).addErrback(print).addCallback(lambda _: reactor.stop())

reactor.callWhenRunning(start)
reactor.run()
"""
    done = run(*script("uvloop", body))
    assert (done.stdout, done.stderr) == (b"0\n0\n", b"")


@pytest.mark.parametrize("name", ["twistd", "twist"])
def test_uvloop_that_is_asked_for_and_does_not_work_is_one_line(without_uvloop, tmp_path, name):
    options = ["-n", "--pidfile="] if name == "twistd" else []
    done = run(BIN / name, *options, "--reactor", "uvloop", "echo",
               "--listen", "127.0.0.1:0", env=without_uvloop, cwd=tmp_path)  # fmt: skip
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("--reactor uvloop: ")
    assert line.endswith("; or omit --reactor")
    assert "pip install" in line or "NoneType" in line  # which is what `no loop` makes of it


def test_uvloop_that_does_not_work_leaves_the_list_of_reactors(without_uvloop, tmp_path):
    done = run(BIN / "twistd", "--help-reactors", env=without_uvloop, cwd=tmp_path)
    assert done.returncode == 0
    assert b"uvloop" in done.stdout
    assert b"Traceback" not in done.stderr


def test_twistd_echo_chooses_uvloop_and_says_so(tmp_path):
    command = [BIN / "twistd", "-n", "--pidfile=", "echo", "--listen", "127.0.0.1:0"]
    with watched(*command, cwd=tmp_path) as (_, log):
        port_in(log)
        log.wait_for(r"reactor class: \S*UvloopReactor")
        assert "using Twisted's own reactor" not in log.text


def test_twistd_echo_without_uvloop_uses_twisteds_reactor_and_says_so(without_uvloop, tmp_path):
    command = [BIN / "twistd", "-n", "--pidfile=", "echo", "--listen", "127.0.0.1:0"]
    with watched(*command, env=without_uvloop, cwd=tmp_path) as (_, log):
        port = port_in(log)
        log.wait_for(r"using Twisted's own reactor: .*")
        log.wait_for(r"reactor class: \S*epollreactor\.EPollReactor")
        with connect(port) as client:
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
        assert "Traceback" not in log.text


def test_a_reactor_that_is_named_is_the_one_that_runs(tmp_path):
    command = [BIN / "twistd", "-n", "--pidfile=", "--reactor", "poll", "echo", "--listen",
               "127.0.0.1:0"]  # fmt: skip
    with watched(*command, cwd=tmp_path) as (_, log):
        log.wait_for(r"reactor class: \S*PollReactor")
        with connect(port_in(log)) as client, suppress(ConnectionError):
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
