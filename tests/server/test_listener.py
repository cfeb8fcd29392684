"""Where the server listens: what a person writes, as endpoint strings, and the TLS of `ssl:`."""

from __future__ import annotations

import shutil
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.testing import MemoryReactor

from echoproto.server.factory import LineFactory
from echoproto.server.listener import endpoint_strings, make_listener
from reactor.running import Recorder
from reactor.tls_peer import TLSPeer
from support import has_ipv6

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

LOOPBACK = ["tcp:{}:interface=127.0.0.1", r"tcp6:{}:interface=\:\:1"][: 1 + has_ipv6()]


@pytest.mark.parametrize(
    ("where", "endpoints"),
    [
        ("0", [each.format(0) for each in LOOPBACK]),
        ("65535", [each.format(65535) for each in LOOPBACK]),
        ("0080", [each.format(80) for each in LOOPBACK]),
        ("localhost:7", [each.format(7) for each in LOOPBACK]),
        ("192.0.2.1:7", ["tcp:7:interface=192.0.2.1"]),
        ("0.0.0.0:7", ["tcp:7:interface=0.0.0.0"]),
        ("[::]:7", [r"tcp6:7:interface=\:\:"]),
        ("[2001:db8::1]:7", [r"tcp6:7:interface=2001\:db8\:\:1"]),
        ("tcp:0", ["tcp:0"]),
        ("tcp:port=0", ["tcp:port=0"]),
        ("unix:/run/echo.sock", ["unix:/run/echo.sock"]),
        ("haproxy:tcp:0", ["haproxy:tcp:0"]),
        ("systemd:domain=INET:index=0", ["systemd:domain=INET:index=0"]),
        ("ssl:0:privateKey=nosuch", ["ssl:0:privateKey=nosuch"]),
    ],
)
def test_what_a_person_writes_is_one_or_more_endpoint_strings(where, endpoints):
    assert endpoint_strings(where) == tuple(endpoints)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", "give PORT, HOST:PORT, "),
        (":7", "give PORT, HOST:PORT, "),
        ("-1", "give PORT, HOST:PORT, "),
        ("7 ", "give PORT, HOST:PORT, "),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", "give PORT, HOST:PORT, "),
        ("host", "give PORT, HOST:PORT, "),
        ("host:", "give PORT, HOST:PORT, "),
        ("::1:7", "give PORT, HOST:PORT, "),
        ("[::1:7", "give PORT, HOST:PORT, "),
        ("::1]:7", "give PORT, HOST:PORT, "),
        ("[::1]]:7", "give PORT, HOST:PORT, "),
        ("[]:7", "give PORT, HOST:PORT, "),
        ("[127.0.0.1]:7", "give PORT, HOST:PORT, "),
        ("[localhost]:7", "give PORT, HOST:PORT, "),
        ("local[host:7", "give PORT, HOST:PORT, "),
        ("nosuch:where=there", "give PORT, HOST:PORT, "),
        ("65536", "a port is at most 65535"),
        ("localhost:999999999999", "a port is at most 65535"),
        ("tcp://localhost:7", "URLs are for the client; "),
        ("no.such.invalid:7", "no address for host 'no.such.invalid': "),
        (f"{'x' * 70}.test:7", f"no address for host '{'x' * 70}.test': "),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(where, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at below
        endpoint_strings(where)
    assert str(error.value).startswith(message)
    assert "Errno" not in str(error.value)


@pytest.fixture
def files(certificate, tmp_path):
    """The key and the certificate, each in a file of its own."""
    both = certificate.read_bytes()
    key = load_pem_private_key(both, None)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "cert.pem").write_bytes(both[both.index(b"-----BEGIN CERTIFICATE") :])
    (tmp_path / "a:b").mkdir()
    shutil.copy(certificate, tmp_path / "a:b" / "both.pem")
    return tmp_path


@pytest.mark.parametrize(
    "where",
    [
        "ssl:0:interface=127.0.0.1:privateKey={both}",
        "ssl:port=0:interface=127.0.0.1:privateKey={both}",
        "ssl:privateKey={both}:interface=127.0.0.1:port=0",
        "ssl:0:interface=127.0.0.1:privateKey={both}:certKey={both}",
        "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={cert}",
        "ssl:0:interface=127.0.0.1:privateKey={escaped}",
    ],
)
def test_an_ssl_string_of_a_key_and_a_certificate_is_our_tls(running, where, certificate, files):
    where = where.format(
        both=certificate,
        key=files / "key.pem",
        cert=files / "cert.pem",
        escaped=quoteStringArgument(str(files / "a:b" / "both.pem")),
    )
    listener = make_listener(running.reactor, where)
    assert isinstance(listener.tls, ssl.SSLContext)
    factory = running.keep(LineFactory(Recorder, tls=listener.tls))
    peer = TLSPeer(running.connect(running.call(listener.endpoint.listen, factory)))
    peer.handshake()
    peer.sendall(b"hello")
    peer.notify_close()
    assert peer.receive_all() == b""
    assert running.served().received == b"hello"


def test_an_ssl_string_that_asks_for_more_is_twisteds(certificate):
    where = f"ssl:0:privateKey={certificate}:extraCertChain={certificate}"
    assert make_listener(None, where).tls is None


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("ssl:0:privateKey=/nosuch.pem", "privateKey=/nosuch.pem: No such file or directory"),
        ("ssl:0:privateKey={both}:certKey=/nosuch.pem", "certKey=/nosuch.pem: No such file"),
        ("ssl:0:privateKey={folder}", "privateKey={folder}: Is a directory"),
        ("ssl:0:privateKey={text}", "no key and certificate in {text} and {text}: "),
        ("ssl:0:privateKey={cert}", "no key and certificate in {cert} and {cert}: "),
        ("ssl:0:privateKey={key}", "no key and certificate in {key} and {key}: "),
        ("ssl:0:privateKey={both}:certKey={text}", "no key and certificate in {both} and {text}: "),
        (
            "ssl:0:privateKey={other}:certKey={cert}",
            "no key and certificate in {other} and {cert}: ",
        ),
        ("ssl:0:privateKey={locked}:certKey={cert}", "the key in {locked} needs a password; "),
        ("ssl:0:certKey={both}", "the key is missing; give ssl:PORT:"),
        ("ssl:0:privateKey={text}:extraCertChain={cert}", "no key and certificate in {text}"),
        ("ssl:0:privateKey={both}:extraCertChain=/nosuch.pem", "extraCertChain=/nosuch.pem: No"),
        ("ssl:0:privateKey={both}:extraCertChain={text}", "no endpoint of the type ssl: "),
        ("ssl:0:privateKey={both}:dhParameters=/nosuch.pem", "dhParameters=/nosuch.pem: No such"),
        ("ssl:0:privateKey={both}:dhParameters={text}", "dhParameters={text}: no parameters"),
        ("ssl:0:privateKey={both}:sslmethod=NOSUCH", "no endpoint of the type ssl: "),
        ("haproxy:ssl:0:privateKey=/nosuch.pem", "privateKey=/nosuch.pem: No such file"),
    ],
)
def test_an_ssl_string_that_cannot_be_is_refused_in_one_clear_line(
    where, message, certificate, files, monkeypatch
):
    monkeypatch.chdir(files)  # where no server.pem is
    (files / "text").write_text("this is no key\n")
    other = ec.generate_private_key(ec.SECP256R1())
    for name, lock in [("other", NoEncryption()), ("locked", BestAvailableEncryption(b"secret"))]:
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        (files / f"{name}.pem").write_bytes(pem)
    names = {
        "both": certificate,
        "folder": files,
        "text": files / "text",
        **{name: files / f"{name}.pem" for name in ["key", "cert", "other", "locked"]},
    }
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at below
        make_listener(None, where.format(**names))
    assert str(error.value).startswith(message.format(**names))
    assert "\n" not in str(error.value)


def test_an_ssl_string_without_a_key_takes_server_pem_of_the_folder(
    certificate, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(certificate, "server.pem")
    assert make_listener(None, "ssl:0").tls is not None


def test_a_key_may_be_given_by_its_place(certificate):
    for where in (f"ssl:0:{certificate}", "tcp:\\80", "tcp: 80"):
        make_listener(MemoryReactor(), where)
