"""Peers of the client that tests make themselves: a server of one connection, plain or on TLS."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from echoproto.client.connection import connect
from echoproto.client.target import Target
from support import DEADLINE

RESET_AT_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

EACH_VERSION = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name
)


@contextmanager
def peer(serve, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """A server of one connection, as `serve` has it; gives where it listens."""

    def accept():
        with closing(listener.accept()[0]) as sock:
            sock.settimeout(DEADLINE)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is said has left
            serve(sock)

    with socket.socket(family) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(address)
        listener.listen()
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join(DEADLINE)
    assert not thread.is_alive()


@contextmanager
def tls_peer(certificate, serve, version=None, scheme="tls", *, cuts=False):
    """The same, once it has done the handshake; gives its Target.

    `version` is the one of TLS, the best if none. At the end it says close_notify, unless it
    `cuts` the connection off.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if version is not None:
        context.minimum_version = context.maximum_version = version

    def handshake(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            serve(tls)
            if not cuts:
                with suppress(OSError, ValueError):  # it is closed, lost, or waits for no answer
                    tls.settimeout(0)
                    tls.unwrap()

    with peer(handshake) as (_, port):
        yield Target("localhost", port, scheme=scheme)


def talk(target, script, **kwargs):
    """Run `script(connection)` on a connection to `target`."""

    async def main():
        async with asyncio.timeout(DEADLINE), connect(target, **kwargs) as connection:
            return await script(connection)

    return asyncio.run(main())


async def everything(connection):
    """All that is received, up to the end."""
    data = bytearray()
    while more := await connection.receive():
        data += more
    return bytes(data)


async def until(condition):
    """Let everything else go on until `condition` holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - it gives no event to wait for
            await asyncio.sleep(0.001)


def was_reset(connection):
    """Wait until the system knows that `connection` is reset, and leave it to be told."""
    poll = select.poll()
    poll.register(connection.stream.socket, 0)
    (found,) = poll.poll(DEADLINE * 1000)
    assert found[1] & select.POLLERR


def printed(process):
    """What it prints next."""
    assert select.select([process.stdout], [], [], DEADLINE)[0], "it prints nothing"
    return os.read(process.stdout.fileno(), 65536)


@contextmanager
def plain_peer(serve):
    """A peer that does no TLS, as a target of TLS."""
    with peer(serve) as (_, port):
        yield Target("localhost", port, scheme="tls")
