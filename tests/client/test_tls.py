"""Why a handshake failed, in words that help; and what the client trusts."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from echoproto.client.target import Target
from echoproto.client.tls import is_tls_alert, tls_context, tls_reason, usual_tls
from peers import EACH_VERSION
from support import echoproto, matching

TARGET = Target("localhost", 1, scheme="tls")
KEY = ec.generate_private_key(ec.SECP256R1())
ANY = r"-k accepts any certificate\)"
ANOTHER = "its certificate is for another name"
UNTRUSTED = "its certificate is not trusted"
DATE = r"\w+ +\d+ [\d:]+ \d+ GMT"
DAY = dt.timedelta(days=1)


def made(path, *, names=("localhost",), issuer="localhost", first=-1, last=1):
    """A file with a key and a certificate, valid from the day `first` to the day `last`."""
    subject, issuer = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        for name in ("localhost", issuer)
    )
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(issuer, subject, KEY.public_key(), x509.random_serial_number())
        .not_valid_before(now + first * DAY)
        .not_valid_after(now + last * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
    )
    if names:
        kinds = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            for name in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(kinds), critical=False)
    path.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path


def refused(certificate, version, host):
    """Why a client does not shake hands with a server that has this certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.maximum_version = version
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    target = Target(host, 1, scheme="tls")
    client_end = tls_context(target, insecure=False).wrap_bio(
        to_client, to_server, server_hostname=target.server_name
    )
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client_end, server_end):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return tls_reason(error)
    return None


@EACH_VERSION
@pytest.mark.parametrize(
    ("fields", "trusted", "host", "why"),
    [
        ({}, True, "localhost", "None"),
        ({"names": ["xn--fa-hia.test"]}, True, "faß.test", "None"),
        ({}, True, "localhost.", "None"),
        (
            {"names": ["fass.test", "*.example.com", "127.0.0.1"]},
            True,
            "faß.test",
            rf"{ANOTHER}: fass\.test, \*\.example\.com, 127\.0\.0\.1 \({ANY}",
        ),
        (
            {"names": [f"host{number}.test" for number in range(12)]},
            True,
            "127.0.0.1",
            rf"{ANOTHER}: host0\.test, .*, host9\.test and 2 more \({ANY}",
        ),
        (
            {"names": []},
            True,
            "other.test",
            rf"{ANOTHER}: none that can be checked \({ANY}",
        ),
        (
            {"first": -2, "last": -1},
            True,
            "localhost",
            rf"its certificate has expired: it expired on {DATE}; if the clock of this .* \({ANY}",
        ),
        (
            {"first": 1, "last": 2},
            True,
            "localhost",
            rf"its certificate is not valid yet: it begins on {DATE}; if the clock .* \({ANY}",
        ),
        (
            {},
            False,
            "localhost",
            rf"{UNTRUSTED}: it is self-signed \(SSL_CERT_FILE names .* trust, now \S+; {ANY}",
        ),
        (
            {"issuer": "Some \x1b CA"},
            False,
            "localhost",
            rf"{UNTRUSTED}: this system does not know its issuer, 'Some \\x1b CA', or .*; {ANY}",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_why_a_certificate_is_not_accepted(  # noqa: PLR0917
    tmp_path, monkeypatch, certificate, version, fields, trusted, host, why
):
    path = made(tmp_path / "both.pem", **fields)
    monkeypatch.setenv("SSL_CERT_FILE", str(path if trusted else certificate))
    assert str(refused(path, version, host)) == matching(why)


@pytest.mark.parametrize("cut", [0, 1, 4])  # with the fifth byte, OpenSSL knows enough
@pytest.mark.parametrize(
    ("first", "why"),
    [
        (
            b"220 mail.example ESMTP\r\n",
            "it does not speak TLS from the start: it speaks SMTP in the clear first, and may want",
        ),
        (b"220 ProFTPD FTP Server\r\n", "it does not speak TLS from the start: it speaks FTP in "),
        (
            b"* OK [CAPABILITY IMAP4rev1]\r\n",
            "it does not speak TLS from the start: it speaks IMAP",
        ),
        (b"+OK Dovecot\r\n", "it does not speak TLS from the start: it speaks POP3 in the clear "),
        (b"SSH-2.0-OpenSSH\r\n", "it does not speak TLS: it sends 'SSH-2.0-OpenSSH\\x0d\\x0a'; "),
        (b"HTTP/1.1 400 Bad\r\n", "it does not speak TLS: it sends 'HTTP/1.1 400 Bad"),
        (b"\xff\xfd\x18\xff\xfd\x20", "it does not speak TLS: it may speak telnet in the clear; "),
        (None, "it does not speak TLS: it sends back what we send, as an echo server does; "),
    ],
)
def test_what_comes_in_place_of_tls_says_what_the_server_speaks(first, why, cut):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls_context(TARGET, insecure=True).wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    first = first or outgoing.read()
    incoming.write(first[:cut])
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    incoming.write(first[cut:])
    with pytest.raises(ssl.SSLError) as raised:
        client.do_handshake()
    assert tls_reason(raised.value).startswith(why)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SSL_CERT_FILE", "{folder}/nosuch", "No such file or directory"),
        ("SSL_CERT_FILE", "{folder}", "Is a directory"),
        ("SSL_CERT_FILE", "/dev/null", "there is no certificate in PEM format"),
        ("SSL_CERT_DIR", "{folder}/nosuch", "No such file or directory"),
        ("SSL_CERT_DIR", __file__, "Not a directory"),
    ],
)
def test_certificates_to_trust_that_cannot_be_read_are_named(
    tmp_path, monkeypatch, name, value, why
):
    value = value.format(folder=tmp_path)
    monkeypatch.setenv(name, value)
    tls_context(TARGET, insecure=True)
    assert tls_context(Target("localhost", 1), insecure=False) is None
    with pytest.raises(OSError, match=f"^{re.escape(f'{name}={value}: {why}')}$"):
        tls_context(TARGET, insecure=False)


@pytest.mark.parametrize("command", [["send"], ["ping", "-c", "1"], ["bench", "-d", "0.1"]])
def test_each_command_says_it_with_status_2(command, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nosuch")
    done = echoproto(*command, "tls://localhost:1")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"echoproto: SSL_CERT_FILE=/nosuch: No such file or directory\n"


@pytest.mark.parametrize("command", [["send"], ["ping", "-c", "1"], ["bench", "-d", "0.1"]])
def test_each_command_says_which_names_the_certificate_has(
    command, monkeypatch, certificate, tls_server
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    done = echoproto(*command, f"tls://127.0.0.1:{tls_server.port}")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"echoproto: cannot connect to tls://127.0.0.1:{tls_server.port}: its certificate is for "
        "another name: localhost (-k accepts any certificate)\n"
    )


def test_an_alert_in_the_clear_is_known():
    assert is_tls_alert(b"\x15\x03\x01\0\2\2\x0a")
    assert not is_tls_alert(b"\x15\x03\x01\0\2\2\x0ax")
    assert not is_tls_alert(b"")


@pytest.mark.parametrize(
    ("target", "tls"),
    [
        ("localhost:443", "tls://localhost:443"),
        ("telnet://localhost:992", "telnets://localhost:992"),
        ("localhost:80", None),
        ("tls://localhost:443", None),
        ("unix:/443", None),
    ],
)
def test_a_port_that_is_usually_tls_has_a_target_of_tls(target, tls):
    assert usual_tls(Target.parse(target)) == (tls and Target.parse(tls))
