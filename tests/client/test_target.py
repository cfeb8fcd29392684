from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.client.target import Target, only_target, take_target
from echoproto.errors import TargetError


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["localhost", "2020"], Target("localhost", 2020)),
        (["localhost:2020"], Target("localhost", 2020)),
        (["tcp://localhost:2020"], Target("localhost", 2020)),
        (["tcp://localhost:2020/"], Target("localhost", 2020)),
        (["::1", "2020"], Target("::1", 2020)),
        (["[::1]", "2020"], Target("::1", 2020)),
        (["[::1]:2020"], Target("::1", 2020)),
        (["tcp://[fe80::1%eth0]:2020"], Target("fe80::1%eth0", 2020)),
        (["unix:///run/echo.sock"], Target(path="/run/echo.sock")),
        (["unix:/run/echo.sock"], Target(path="/run/echo.sock")),
        (["UNIX:/run/a%20b"], Target(path="/run/a%20b")),
        (["unix:echo.sock"], Target(path="echo.sock")),
        (["unix:./echo.sock"], Target(path="./echo.sock")),
        (["unix:2020"], Target(path="2020")),
        (["unix:@echo"], Target(path="@echo")),
        (["unix:./@echo"], Target(path="./@echo")),
        (["unix", "2020"], Target("unix", 2020)),
        (["localhost", "smtp"], Target("localhost", 25)),
        (["localhost:SMTP"], Target("localhost", 25)),
        (["tcp://localhost:http/"], Target("localhost", 80)),
        (["[::1]:http"], Target("::1", 80)),
        (["tcp://[fe80::1%25eth0]:2020"], Target("fe80::1%eth0", 2020)),
        (["telnet://[fe80::1%25a%2Eb]"], Target("fe80::1%a.b", 23, scheme="telnet")),
        (["[fe80::1%eth0]:2020"], Target("fe80::1%eth0", 2020)),
        (["fe80::1%eth0", "2020"], Target("fe80::1%eth0", 2020)),
        (["tls://localhost:2020"], Target("localhost", 2020, scheme="tls")),
        (["tls://[::1]:2020/"], Target("::1", 2020, scheme="tls")),
        (["telnet://localhost"], Target("localhost", 23, scheme="telnet")),
        (["TELNET://localhost"], Target("localhost", 23, scheme="telnet")),
        (["telnet://localhost/"], Target("localhost", 23, scheme="telnet")),
        (["telnet://localhost:2323"], Target("localhost", 2323, scheme="telnet")),
        (["telnet://[::1]"], Target("::1", 23, scheme="telnet")),
        (["telnet://[::1]:2323/"], Target("::1", 2323, scheme="telnet")),
        (["telnet://[fe80::1%eth0]"], Target("fe80::1%eth0", 23, scheme="telnet")),
        (["telnets://localhost"], Target("localhost", 992, scheme="telnets")),
        (["telnets://localhost:2323"], Target("localhost", 2323, scheme="telnets")),
        (["telnets://[::1]"], Target("::1", 992, scheme="telnets")),
    ],
)
def test_what_a_person_writes(words, target):
    assert take_target(words) == (target, [])
    assert take_target([*words, "more", "words"]) == (target, ["more", "words"])
    assert take_target([str(target)]) == (target, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["localhost"], "localhost: the port is missing; give HOST PORT, HOST:PORT, "),
        (["2020"], "2020: the host is missing; give "),
        (["::1"], "::1: the port is missing, or an IPv6 address is not in brackets; "),
        (["::1:2020"], "::1:2020: the port is missing, or an IPv6 address is not in brackets; "),
        (
            ["localhost", "smpt"],
            "localhost smpt: 'smpt' is not a port from 1 to 65535, nor a TCP service that the sys",
        ),
        (["localhost:0"], "localhost:0: '0' is not a port from 1 to 65535; "),
        (["localhost:65536"], "localhost:65536: '65536' is not a port "),
        (["localhost:٢٠"], "localhost:٢٠: '٢٠' is not a port "),
        ([":2020"], ":2020: the host is missing; "),
        (["tcp://2020"], "tcp://2020: the host is missing; "),
        (["tcp://localhost"], "tcp://localhost: "),
        (["udp://localhost:2020"], "udp://localhost:2020: unknown scheme udp://; "),
        (["unix:"], "unix:: the path is missing; give unix:PATH, or unix:@NAME "),
        (["unix:@"], "unix:@: the path is missing; "),
        (["unix://"], "unix://: the path is missing; "),
        (
            ["unix://run/x"],
            "unix://run/x: only an absolute path can follow unix://; give unix:///run/x or unix:",
        ),
        (["localhost:" + "1" * 5000], "localhost:1111"),
        (["tls://"], "tls://: the host is missing; "),
        (["tls://localhost"], "tls://localhost: the port is missing; give "),
        (["tls://localhost", "2020"], "tls://localhost: the port is missing; give "),
        (["tls://[::1]"], "tls://[::1]: the port is missing; give "),
        (["tcp://[::1%25]:1"], "::1%: '' cannot be a network interface; "),
        (["[::1::]:80"], "::1::: '::1::' is not an IPv6 address"),
        (["tls://:2020"], "tls://:2020: the host is missing; "),
        (["telnet://"], "telnet://: the host is missing; "),
        (["telnet:///"], "telnet:///: the host is missing; "),
        (["telnet://:23"], "telnet://:23: the host is missing; "),
        (["telnet://[]"], "telnet://[]: the host is missing; "),
        (["telnet://localhost:"], "telnet://localhost:: '' is not a port from 1 to 65535; "),
        (["telnet://localhost:nosuch"], "telnet://localhost:nosuch: 'nosuch' is not a port "),
        (["telnet://localhost:0"], "telnet://localhost:0: '0' is not a port "),
        (["telnets://localhost:65536"], "telnets://localhost:65536: '65536' is not a port "),
        (["telnet://localhost:23/path"], "telnet://localhost:23/path: '23/path' is not a port "),
        (["ssl://localhost:2020"], "ssl://localhost:2020: unknown scheme ssl://; give "),
        (["telnet:localhost"], "telnet:localhost: 'localhost' is not a port "),
        (["telnet://::1"], "telnet://::1: an IPv6 address must be in brackets; "),
        (["telnet://me@localhost"], "telnet://me@localhost: a target has no user name; "),
        (["telnet://fe80::1:23"], "telnet://fe80::1:23: "),
        (["tcp://::1"], "tcp://::1: "),
        (["telnet://[::1"], "telnet://[::1: "),
    ],
)
def test_what_is_no_target_is_refused_with_what_would_be_one(words, message):
    with pytest.raises(TargetError) as raised:
        take_target(words)
    assert str(raised.value).startswith(message)


def test_its_name_is_short():
    assert Target("::1", 2020).name == "[::1]:2020"
    assert Target(path="/run/echo.sock").name == "/run/echo.sock"
    assert Target("localhost", 2020, scheme="tls").name == "tls://localhost:2020"
    assert Target("::1", 23, scheme="telnet").name == "telnet://[::1]:23"
    assert Target("localhost", 992, scheme="telnets").name == "telnets://localhost:992"


@pytest.mark.parametrize(
    ("written", "is_tls", "is_telnet"),
    [
        ("localhost:2020", False, False),
        ("tcp://localhost:2020", False, False),
        ("tls://localhost:2020", True, False),
        ("telnet://localhost", False, True),
        ("telnets://localhost", True, True),
        ("unix:///run/telnets:", False, False),
    ],
)
def test_its_scheme_says_what_is_spoken(written, is_tls, is_telnet):
    target, _ = take_target([written])
    assert (target.is_tls, target.is_telnet) == (is_tls, is_telnet)


def test_a_path_is_neither_tls_nor_telnet():
    for scheme in ("tcp", "tls", "telnet", "telnets"):
        target = Target(path="/run/echo.sock", scheme=scheme)
        assert (target.is_tls, target.is_telnet) == (False, False)
        assert str(target) == "unix:///run/echo.sock"


def test_targets_that_differ_in_what_is_spoken_are_different():
    # The history of the shell is kept under this text.
    schemes = ("tcp", "tls", "telnet", "telnets")
    assert len({str(Target("localhost", 23, scheme=scheme)) for scheme in schemes}) == 4


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("localhost 2020", Target("localhost", 2020)),
        ("localhost:2020", Target("localhost", 2020)),
        (" [::1]:2020 ", Target("::1", 2020)),
        ("telnets://localhost", Target("localhost", 992, scheme="telnets")),
        ("unix:///run/an echo.sock", Target(path="/run/an echo.sock")),
    ],
)
def test_a_target_is_parsed_from_one_text(text, target):
    assert Target.parse(text) == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the port is missing; give HOST PORT, "),
        ("localhost 2020 more", "unexpected argument 'more' after the target localhost:2020"),
        ("localhost:x", "localhost:x: 'x' is not a port from 1 to 65535, nor "),
    ],
)
def test_a_text_that_is_no_target_is_refused(text, message):
    with pytest.raises(TargetError) as raised:
        Target.parse(text)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x", "y", "z"], "x y: 'y' is not a port .*; unexpected argument 'z'"),
        (["x:1", "y", "z"], "unexpected arguments 'y' 'z' after the target x:1"),
        (["x", "1", "z"], "unexpected argument 'z' after the target x:1"),
    ],
)
def test_each_word_that_is_too_many_is_named(words, message):
    with pytest.raises(TargetError, match=f"^{message}$"):
        only_target(words)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the host is missing"),
        ({"host": "localhost", "port": 21, "scheme": "ftp"}, "unknown scheme ftp://; give tcp, "),
        ({"host": "localhost"}, "localhost: 0 is not a port from 1 to 65535"),
        ({"host": "localhost", "port": 65536}, "localhost: 65536 is not a port from 1 to 65535"),
        ({"host": "a..b", "port": 1}, "a..b: a host name cannot "),
        ({"host": "localhost", "path": "/x"}, "/x: a target is a host and a port, or a path"),
        ({"path": "/a\0b"}, "'/a\\x00b': the path of a Unix socket cannot contain NUL"),
        ({"path": "/\ud800"}, "'/\\ud800': not the path of a Unix socket"),
    ],
)
def test_what_no_connection_can_be_made_to_is_no_target(fields, message):
    with pytest.raises(TargetError) as raised:
        Target(**fields)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(("path", "most"), [("/", 107), ("é", 107), ("@", 108)])
def test_a_path_is_as_long_as_the_system_allows(path, most):
    fits = path + "x" * (most - len(os.fsencode(path)))
    assert Target(path=fits).path == fits
    with pytest.raises(TargetError, match=f"has at most {most} bytes; this one has {most + 1}"):
        Target(path=f"{fits}x")


def test_the_system_gets_the_host_in_ascii_and_tls_gets_it_as_certificates_have_it():
    for host, ascii_host, server_name in [
        ("faß.test.", "xn--fa-hia.test.", "xn--fa-hia.test"),
        ("my_host", "my_host", "my_host"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::1"),
    ]:
        target = Target(host, 1)
        assert (target.ascii_host, target.server_name) == (ascii_host, server_name)
        assert host in target.name


def test_the_address_of_an_abstract_socket_begins_with_nul():
    assert Target(path="@echo").unix_address == "\0echo"
    assert Target(path="./@echo").unix_address == "./@echo"


ZONES = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="/%]"), min_size=1)
HOSTS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63}){0,2}\.?", fullmatch=True),
    st.sampled_from(
        ["faß.test", "FAẞ.test.", "\uff2cocalhost", "例え。テスト", "unix", "127.0.0.1"]
    ),
    st.ip_addresses(v=6).map(str),
    st.builds("fe80::1%{}".format, ZONES),
)
PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=25)
TARGETS = st.one_of(
    st.builds(
        Target,
        HOSTS,
        st.integers(1, 65535),
        scheme=st.sampled_from(["tcp", "tls", "telnet", "telnets"]),
    ),
    st.builds(lambda path: Target(path=path), PATHS.filter(lambda path: path.removeprefix("@"))),
    st.builds(lambda path: Target(path=f"/{path}"), PATHS),
)


@given(TARGETS)
def test_the_url_of_a_target_is_that_target(target):
    assert Target.parse(str(target)) == target
    assert only_target([str(target)]) == target
    if not target.path:
        assert only_target([target.name]) == target
