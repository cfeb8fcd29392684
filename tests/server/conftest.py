"""The reactors that tests run on, and clients of a server that tests share."""

from __future__ import annotations

import ssl

import pytest

from reactor.conftest import running
from telnet_clients import dialled

__all__ = ["running"]


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
