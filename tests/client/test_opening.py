"""Opening a connection, and how long that may take."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from echoproto import NetworkError, Target, connect
from echoproto.client.opening import open_socket
from peers import peer, talk
from support import BIN, DEADLINE, echoproto, receive_all, run, start

ECHOPROTO = BIN / "echoproto"


def test_it_connects_to_a_unix_socket(tmp_path):
    path = str(tmp_path / "peer.sock")
    with peer(lambda sock: sock.sendall(receive_all(sock)[::-1]), socket.AF_UNIX, path):
        done = echoproto(f"unix://{path}", input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"olleh")


def test_it_connects_to_relative_and_abstract_unix_sockets(tmp_path):
    name = f"echoproto-{tmp_path}"
    for address, target in [
        (str(tmp_path / "peer.sock"), "unix:peer.sock"),
        (f"\0{name}", f"unix:@{name}"),
    ]:
        with peer(lambda sock: sock.sendall(receive_all(sock)[::-1]), socket.AF_UNIX, address):
            done = echoproto(target, input=b"hello", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, b"olleh")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("[fe80::1%nosuch]:1", r"there is no network interface 'nosuch'; the interfaces are .*lo"),
        ("fe80::1%9999 1", r"there is no network interface '9999'; the interfaces are .*lo"),
        ("fe80::1 1", r"a link-local address needs an interface: fe80::1%INTERFACE; the interfa"),
    ],
)
def test_what_is_wrong_with_a_zone_is_one_clear_line(target, why):
    done = echoproto("send", *target.split())
    assert done.returncode == 1
    assert re.match(rf"echoproto: cannot connect to \S+: {why}", done.stderr.decode())


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


# A resolver that never answers

NEVER = """
import socket, sys, time
from echoproto.cli import main

find = socket.getaddrinfo

def getaddrinfo(*args, flags=0, **kwargs):
    if flags & socket.AI_NUMERICHOST:
        return find(*args, flags=flags, **kwargs)
    print("looking up", file=sys.stderr, flush=True)
    time.sleep(1000)

socket.getaddrinfo = getaddrinfo
main()
"""
COMMANDS = ["connect", "send", "ping", "bench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_lookup_takes_no_longer_than_it_may(command):
    done = run(sys.executable, "-c", NEVER, command, "-w", "0.1", "echo.test:7")
    assert done.returncode == 1
    # The lookup's own thread may be late on a busy machine, or too late.
    said = done.stderr.decode().replace("looking up\n", "")
    assert said == "echoproto: cannot connect to echo.test:7: no answer in 0.1 seconds\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_lookup(command, number, status):
    words = [sys.executable, "-c", NEVER, command, "echo.test:7"]
    with start(*words, stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == b"looking up\n"
        process.send_signal(number)
        assert process.wait(DEADLINE) == status
        assert process.stderr.read() == b""


def test_connect_gives_up_on_a_lookup_and_goes_on(monkeypatch):
    answered = threading.Event()

    def getaddrinfo(*_, flags=0, **__):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        answered.wait(DEADLINE)
        return []

    async def main():
        with pytest.raises(NetworkError, match=r"no answer in 0\.05 seconds"):
            async with connect("echo.test:7", 0.05):
                pass

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.run(main())
    answered.set()  # an answer that comes when the loop is closed disturbs nobody


def test_a_numeric_host_is_looked_up_without_a_thread(server, monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", None)
    talk(Target("127.0.0.1", server.port), lambda connection: connection.send(b""))


@pytest.mark.parametrize("run_loop", [asyncio.run, pytest.param("uvloop", id="uvloop")])
def test_the_zone_of_an_address_is_kept(run_loop, monkeypatch):
    if run_loop == "uvloop":
        run_loop = pytest.importorskip("uvloop").run
    connected = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: connected.append(address))

    async def main():
        (await open_socket(Target("fe80::1%lo", 7))).close()

    run_loop(main())
    assert connected == [("fe80::1", 7, 0, socket.if_nametoindex("lo"))]
