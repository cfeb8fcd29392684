"""Fixtures and options that all tests share."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings

import support

LONG = 900
"""The timeout of a test that is marked as long, in seconds. The others have that of pytest."""

settings.register_profile("echoproto", deadline=None)
settings.load_profile("echoproto")


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped fails the run")
    parser.addoption("--all", action="store_true", help="run those that are marked as long, too")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """How many processes `-n auto` means: tests wait a lot, for processes and for each other."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        # Twisted's cache of plugins, in the checkout: made once, and not by many at a time.
        look = "from twisted import plugin, plugins; plugin.getCache(plugins)"
        subprocess.run([sys.executable, "-c", look], check=True)


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--all"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    failed_as_expected = hasattr(report, "wasxfail")
    if report.skipped and not failed_as_expected and item.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, with --no-skips: {report.longrepr[2]}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _histories_of_their_own(tmp_path_factory):
    """What a program keeps for its user is kept for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def server():
    """A server that tests share; its log is theirs together."""
    with support.serve() as running:
        yield running


@pytest.fixture
def free_port():
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def full_listener():
    """A listener whose queue is full: it does not answer."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The path of a file with a key and a certificate of its own for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        # What Python 3.13 asks of a certificate.
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="session")
def tls_server(certificate):
    """The same, on TLS."""
    where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    with support.serve(listen=[where]) as running:
        yield running
