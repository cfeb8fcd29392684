"""The reactors that tests run on, and clients of a server that tests share.

Every server here runs on each reactor, and so does every test that uses one: as a process (`serve`,
`server`, `tls_server`), or in a thread (`running`).
"""

from __future__ import annotations

import ssl
from functools import partial

import pytest

import support
from reactor.conftest import running
from reactor.running import KINDS
from telnet_clients import dialled

__all__ = ["running"]


@pytest.fixture(scope="session", params=KINDS)
def reactor(request):
    """The name of a reactor: ours, then Twisted's own."""
    return request.param


@pytest.fixture(scope="session")
def serve(reactor):
    """`support.serve`, on each reactor."""
    return partial(support.serve, reactor=reactor)


@pytest.fixture(scope="session")
def server(serve):
    """A server that tests share; its log is theirs together."""
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def tls_server(serve, certificate):
    """The same, on TLS."""
    where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    with serve(listen=[where]) as running:
        yield running


@pytest.fixture
def client(server):
    with dialled(server) as it:
        yield it


@pytest.fixture
def telnet(server):
    """A client that has shown that it is telnet."""
    with dialled(server, telnet=True) as it:
        yield it


@pytest.fixture(scope="module")
def contexts(certificate):
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    return ours, theirs
