"""Endpoint strings: their parts, and what is said of each mistake."""

from __future__ import annotations

import pytest
from twisted.internet.endpoints import quoteStringArgument

from echoproto.server.endpoint_string import KINDS, parse, split
from echoproto.server.listener import endpoint_strings, make_listener
from support import BIN, run

PORT = "is not a port from 0 to 65535; give"
TCP, TCP6, UNIX = "tcp:PORT:interface=HOST", "tcp6:PORT:interface=HOST", "unix:PATH"
SSL = "ssl:PORT:interface=HOST:privateKey=FILE"
SYSTEMD = "systemd:domain=INET:index=0, or name= in place of index="
COLON = r", with \: for a colon in a value"

WRONG = [
    ("tcp", f"the port is missing; give {TCP}"),
    ("tcp:", f"the port is missing; give {TCP}"),
    ("tcp::interface=127.0.0.1", f"the port is missing; give {TCP}"),
    ("tcp:interface=127.0.0.1", f"the port is missing; give {TCP}"),
    ("tcp:x", f"port=x {PORT} {TCP}"),
    ("tcp:port=x", f"port=x {PORT} {TCP}"),
    ("tcp:-1", f"port=-1 {PORT} {TCP}"),
    ("tcp:70000", f"port=70000 {PORT} {TCP}"),
    ("tcp:0x50", f"port=0x50 {PORT} {TCP}"),
    ("tcp:1_0", f"port=1_0 {PORT} {TCP}"),
    ("tcp:\N{ARABIC-INDIC DIGIT SEVEN}", f"port=\N{ARABIC-INDIC DIGIT SEVEN} {PORT} {TCP}"),
    (f"tcp:{'9' * 5000}", f"port={'9' * 5000} {PORT} {TCP}"),
    ("tcp:0:backlog=x", f"backlog=x is not a number of connections; give {TCP}"),
    ("tcp:0:backlog=", f"backlog= is not a number of connections; give {TCP}"),
    ("tcp:0:backlog=-1", f"backlog=-1 is not a number of connections; give {TCP}"),
    ("tcp:0:backlog=4294967296", f"backlog=4294967296 is not a number of connections; give {TCP}"),
    ("tcp:0:127.0.0.1:x", f"backlog=x is not a number of connections; give {TCP}"),
    ("tcp:0:nosuch=1", "unknown argument 'nosuch'; tcp takes port, interface and backlog"),
    ("tcp:0:Interface=1", "unknown argument 'Interface'; tcp takes port, interface and backlog"),
    ("tcp:0:=1", "unknown argument ''; tcp takes port, interface and backlog"),
    ("tcp:0:port=0", f"port comes twice; give {TCP}{COLON}"),
    ("tcp:port=0:0", f"port comes twice; give {TCP}{COLON}"),
    ("tcp:0:backlog=1:backlog=1", f"backlog comes twice; give {TCP}{COLON}"),
    ("tcp:0:interface=::1", f"interface comes twice; give {TCP}{COLON}"),
    ("tcp:0:127.0.0.1:5:6", f"'6' is one too many; give {TCP}{COLON}"),
    ("tcp:0:interface=no.such.invalid", "no address for host 'no.such.invalid': "),
    (f"tcp:0:interface={'x' * 70}.test", f"no address for host '{'x' * 70}.test': "),
    ("tcp:0\\", r"it ends with a backslash; write \\ for a backslash in a value"),
    ("tcp6:", f"the port is missing; give {TCP6}"),
    ("tcp6:99999", f"port=99999 {PORT} {TCP6}"),
    ("tcp6:0:x", f"backlog=x is not a number of connections; give {TCP6}"),
    ("tcp6:0:interface=127.0.0.1", "no address for host '127.0.0.1': "),
    ("tcp6:0:nosuch=1", "unknown argument 'nosuch'; tcp6 takes port, backlog and interface"),
    ("unix", f"the path is missing; give {UNIX}"),
    ("unix:", f"the path is missing; give {UNIX}"),
    ("unix:address=", f"the path is missing; give {UNIX}"),
    ("unix:mode=660", f"the path is missing; give {UNIX}"),
    ("unix:/a:mode=9", f"mode=9 is not an octal mode such as 660; give {UNIX}"),
    ("unix:/a:mode=rw", f"mode=rw is not an octal mode such as 660; give {UNIX}"),
    ("unix:/a:mode=0o660", f"mode=0o660 is not an octal mode such as 660; give {UNIX}"),
    ("unix:/a:mode=777777", f"mode=777777 is not an octal mode such as 660; give {UNIX}"),
    ("unix:/a:lockfile=maybe", f"lockfile=maybe is not 0 or 1; give {UNIX}"),
    ("unix:/a:backlog=x", f"backlog=x is not a number of connections; give {UNIX}"),
    ("unix:/a:port=1", "unknown argument 'port'; unix takes address, mode, backlog and lockfile"),
    ("unix:/a:660:1:1:x", f"'x' is one too many; give {UNIX}{COLON}"),
    ("ssl:", f"the port is missing; give {SSL}"),
    ("ssl:http", f"port=http {PORT} {SSL}"),
    ("ssl:2443", f"the key is missing; give {SSL}"),
    ("ssl:0:privateKey=", f"privateKey= is not a file; give {SSL}"),
    ("ssl:0:privateKey=/nosuch.pem", "privateKey=/nosuch.pem: No such file or directory"),
    ("ssl:0:port=0:privateKey=/nosuch.pem", f"port comes twice; give {SSL}{COLON}"),
    ("ssl:0:0:privateKey=/nosuch.pem", f"privateKey comes twice; give {SSL}{COLON}"),
    ("ssl:0:backlog=x:privateKey=a", f"backlog=x is not a number of connections; give {SSL}"),
    ("ssl:0:key=a", "unknown argument 'key'; ssl takes port, privateKey, certKey, "),
    ("systemd", f"the domain is missing; give {SYSTEMD}"),
    ("systemd:", f"the domain is missing; give {SYSTEMD}"),
    ("systemd:index=0", f"the domain is missing; give {SYSTEMD}"),
    ("systemd:domain=INET", f"one of index and name is needed; give {SYSTEMD}"),
    ("systemd:domain=INET:index=0:name=a", f"one of index and name is needed; give {SYSTEMD}"),
    ("systemd:domain=IPV4:index=0", f"domain=IPV4 is not INET, INET6 or UNIX; give {SYSTEMD}"),
    ("systemd:domain=INET:index=x", f"index=x is not a number from 0; give {SYSTEMD}"),
    ("systemd:domain=INET:index=-1", f"index=-1 is not a number from 0; give {SYSTEMD}"),
    ("systemd:domain=INET:index=0", "no such socket was passed (LISTEN_PID, "),
    ("systemd:domain=INET:name=a", "no such socket was passed (LISTEN_PID, "),
    ("haproxy", "an endpoint string must follow; give haproxy:tcp:PORT:interface=HOST"),
    ("haproxy:", "an endpoint string must follow; give haproxy:tcp:PORT:interface=HOST"),
    ("haproxy:2020", "an endpoint string must follow; give haproxy:tcp:PORT:interface=HOST"),
    ("haproxy:haproxy:", "an endpoint string must follow; give haproxy:tcp:PORT:interface=HOST"),
    ("haproxy:tcp:x", f"port=x {PORT} {TCP}"),
    ("haproxy:ssl:x", f"port=x {PORT} {SSL}"),
    ("haproxy:ssl:0:interface=no.such.invalid", "no address for host 'no.such.invalid': "),
    ("haproxy:tls:/certificates", "a folder of certificates is not supported; for TLS, give ssl:"),
    ("tls", "a folder of certificates is not supported; for TLS, give ssl:"),
    ("tls:2020", "a folder of certificates is not supported; for TLS, give ssl:"),
    ("tls:/certificates:443", "a folder of certificates is not supported; for TLS, give ssl:"),
    ("stdio:", "standard input is no place to listen; give PORT, HOST:PORT or [IPV6]:PORT"),
]


@pytest.mark.parametrize(("where", "message"), WRONG)
def test_each_mistake_is_one_line_that_says_what_would_be_right(
    where, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # where no server.pem is
    assert endpoint_strings(where) == (where,)
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at below
        make_listener(None, where)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("where", ["tls:2020", "systemd:domain=INET:index=0", "tcp:70000"])
def test_an_operator_meets_that_line_alone_and_status_2(where, tmp_path):
    message = dict(WRONG)[where]
    done = run(BIN / "twistd", "-n", "echo", "--listen", where, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(f"twistd echo: --listen {where}: {message}")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("where", "given"),
    [
        ("tcp:0", {"port": "0"}),
        ("tcp: 80", {"port": "80"}),
        ("tcp:\\80", {"port": "80"}),
        ("tcp:65535:127.0.0.1:5", {"port": "65535", "interface": "127.0.0.1", "backlog": "5"}),
        ("tcp:backlog=5:0", {"port": "0", "backlog": "5"}),
        (r"tcp6:0:interface=\:\:1", {"port": "0", "interface": "::1"}),
        ("unix:/a", {"address": "/a"}),
        (r"unix:/a\:b\=c\\d", {"address": r"/a:b=c\d"}),
        ("unix:address=/a=b:mode=0660", {"address": "/a=b", "mode": "0660"}),
        ("ssl:0:a.pem:b.pem", {"port": "0", "privateKey": "a.pem", "certKey": "b.pem"}),
        ("systemd:UNIX:name=a", {"domain": "UNIX", "name": "a"}),
    ],
)
def test_the_arguments_are_found_by_name_and_by_place(where, given):
    assert parse(where) == (where.split(":")[0], given)


@pytest.mark.parametrize("text", ["", ":", "=", "\\", "a:b=c\\", "\n", "\\\n=:"])
def test_what_twisted_quotes_is_read_as_it_was(text):
    kept = quoteStringArgument(text)
    assert split(f"unix:address={kept}:x") == [(None, "unix"), ("address", text), (None, "x")]


def test_every_type_has_wrong_strings_here():
    assert {where.split(":")[0] for where, _ in WRONG} >= set(KINDS)
