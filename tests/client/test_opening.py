"""Opening a connection, and how long that may take."""

from __future__ import annotations

import socket

from peers import peer
from support import BIN, echoproto, receive_all

ECHOPROTO = BIN / "echoproto"


def test_it_connects_to_a_unix_socket(tmp_path):
    path = str(tmp_path / "peer.sock")
    with peer(lambda sock: sock.sendall(receive_all(sock)[::-1]), socket.AF_UNIX, path):
        done = echoproto(f"unix://{path}", input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"olleh")


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
