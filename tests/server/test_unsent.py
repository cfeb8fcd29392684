"""What has not reached the peer is counted, in the transport and in the system."""

from __future__ import annotations

import pytest

from ending_world import World
from support import DEADLINE, eventually, receive_exactly

MUCH = b"x" * 8_000_000  # more than all the buffers between


@pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
def test_it_is_counted_until_the_peer_has_it(running, kind, certificate, tmp_path):
    client, protocol = World(running, kind, certificate, tmp_path).dial()
    connection = protocol.transport
    client.send(b"hello\r\n")
    client.hears(b"hello\r\n")
    eventually(lambda: running.call(lambda: connection.unsent) == 0, "all is sent")
    running.call(connection.write, MUCH)
    assert 0 < running.call(lambda: connection.unsent) <= len(MUCH) * 1.1
    if kind == "tls":
        assert client.tls.receive_exactly(len(MUCH)) == MUCH
    else:
        assert receive_exactly(client.sock, len(MUCH)) == MUCH
    eventually(lambda: running.call(lambda: connection.unsent) == 0, "all is sent")
    running.call(connection.write, MUCH)
    client.reset()
    protocol.lost.result(DEADLINE)
    eventually(lambda: running.call(lambda: connection.unsent) == 0, "nothing will be sent")
