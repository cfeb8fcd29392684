"""Opening a connection, and how long that may take."""

from __future__ import annotations

import re
import socket

import pytest

from peers import peer
from support import BIN, echoproto, receive_all

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
