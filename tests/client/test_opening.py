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


def test_connecting_takes_no_longer_than_it_may(full_listener):
    host, port = full_listener.getsockname()
    done = echoproto("-w", "0.2", host, str(port))
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"echoproto: cannot connect to {host}:{port}: no answer in 0.2 seconds\n"
    )


# Several addresses


@pytest.fixture
def resolver(monkeypatch):
    """Let the name echo.test have these addresses."""
    find = socket.getaddrinfo

    def resolve(*addresses):
        def getaddrinfo(host, port, *args, flags=0, **kwargs):
            if host != "echo.test":
                return find(host, port, *args, flags=flags, **kwargs)
            if flags & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            return [info for each in addresses for info in find(each, port, **kwargs)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


def test_each_attempt_is_reported_with_its_address(resolver, server):
    resolver("127.0.0.2", "127.0.0.3", "127.0.0.1")  # the server listens on the last only
    reported = []

    async def main():
        target = Target("echo.test", server.port)
        async with connect(target, on_attempt=lambda *attempt: reported.append(attempt)):
            pass

    asyncio.run(main())
    assert reported == [("127.0.0.2", 1, 3), ("127.0.0.3", 2, 3), ("127.0.0.1", 3, 3)]


async def connecting_fails(target, limit=None, **kwargs):
    with pytest.raises(NetworkError) as failed:
        async with connect(target, limit, **kwargs):
            pass
    return str(failed.value)


def test_where_the_reasons_differ_each_address_has_its_own(resolver, free_port):
    resolver("127.0.0.1", "255.255.255.255")
    target = f"echo.test:{free_port}"
    assert re.fullmatch(
        rf"cannot connect to {target}: 127\.0\.0\.1: Connection refused; 255\.255\.255\.255: "
        r"(?!Connection refused).+",
        asyncio.run(connecting_fails(target)),
    )


def test_one_reason_for_all_addresses_is_said_once(resolver, free_port):
    resolver("127.0.0.1", "127.0.0.2")
    target = f"echo.test:{free_port}"
    said = asyncio.run(connecting_fails(target))
    assert said == f"cannot connect to {target}: Connection refused"


def test_when_time_is_up_what_has_failed_is_said_too(resolver, full_listener):
    host, port = full_listener.getsockname()
    resolver("127.0.0.2", host)
    assert asyncio.run(connecting_fails(f"echo.test:{port}", 0.5)) == (
        f"cannot connect to echo.test:{port} in 0.5 seconds: 127.0.0.2: Connection refused; "
        f"{host}: no answer"
    )


# Waiting until it is open


def test_it_waits_until_the_port_is_open(free_port):
    async def main():
        refused = asyncio.Event()
        connecting = asyncio.create_task(_until_connected(refused))
        async with asyncio.timeout(DEADLINE):
            await refused.wait()
            with socket.create_server(("127.0.0.1", free_port)):
                await connecting

    async def _until_connected(refused):
        def on_attempt(*_):
            attempts.append(1)
            if len(attempts) > 1:  # the first was refused
                refused.set()

        target = Target("127.0.0.1", free_port)
        async with connect(target, on_attempt=on_attempt, wait_open=True):
            pass

    attempts = []
    asyncio.run(main())


def test_it_waits_until_the_unix_socket_exists(tmp_path):
    path = str(tmp_path / "late.sock")

    async def main():
        connecting = asyncio.create_task(open_socket(Target(path=path), wait_open=True))
        await asyncio.sleep(0)  # the first attempt has failed
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            async with asyncio.timeout(DEADLINE):
                (await connecting).close()

    asyncio.run(main())


def test_waiting_ends_when_time_is_up_and_says_what_was_missing(free_port):
    target = f"127.0.0.1:{free_port}"
    said = asyncio.run(connecting_fails(target, 0.3, wait_open=True))
    assert said == f"cannot connect to {target} in 0.3 seconds: Connection refused"


def test_what_does_not_change_by_waiting_is_an_error_at_once():
    said = asyncio.run(connecting_fails("[fe80::1%nosuch]:1", DEADLINE, wait_open=True))
    assert "there is no network interface 'nosuch'" in said


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
