from __future__ import annotations

import pytest

from echoproto.client.target import Target, take_target
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
        (["::1"], "::1: the port is missing; "),
        (["localhost", "http"], "localhost http: 'http' is not a port from 1 to 65535; "),
        (["localhost:0"], "localhost:0: '0' is not a port from 1 to 65535; "),
        (["localhost:65536"], "localhost:65536: '65536' is not a port "),
        (["localhost:٢٠"], "localhost:٢٠: '٢٠' is not a port "),
        ([":2020"], ":2020: the host is missing; "),
        (["tcp://2020"], "tcp://2020: the host is missing; "),
        (["tcp://localhost"], "tcp://localhost: "),
        (["udp://localhost:2020"], "udp://localhost:2020: unknown scheme udp://; "),
        (["unix:echo.sock"], "unix:echo.sock: 'echo.sock' is not a port "),
        (["localhost:" + "1" * 5000], "localhost:1111"),
        (["tls://"], "tls://: the host is missing; "),
        (["tls://localhost"], "tls://localhost: the port is missing; give "),
        (["tls://localhost", "2020"], "tls://localhost: the port is missing; give "),
        (["tls://[::1]"], "tls://[::1]: "),
        (["tls://:2020"], "tls://:2020: the host is missing; "),
        (["telnet://"], "telnet://: the host is missing; "),
        (["telnet:///"], "telnet:///: the host is missing; "),
        (["telnet://:23"], "telnet://:23: the host is missing; "),
        (["telnet://[]"], "telnet://[]: the host is missing; "),
        (["telnet://localhost:"], "telnet://localhost:: '' is not a port from 1 to 65535; "),
        (["telnet://localhost:telnet"], "telnet://localhost:telnet: 'telnet' is not a port "),
        (["telnet://localhost:0"], "telnet://localhost:0: '0' is not a port "),
        (["telnets://localhost:65536"], "telnets://localhost:65536: '65536' is not a port "),
        (["telnet://localhost:23/path"], "telnet://localhost:23/path: '23/path' is not a port "),
        (["ssl://localhost:2020"], "ssl://localhost:2020: unknown scheme ssl://; give "),
        (["telnet:localhost"], "telnet:localhost: 'localhost' is not a port "),
        (["telnet://::1"], "telnet://::1: "),
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
        (
            "localhost 2020 more",
            "localhost 2020 more: 'more' is one word too many; give HOST PORT,",
        ),
        ("localhost:x", "localhost:x: 'x' is not a port from 1 to 65535; give "),
    ],
)
def test_a_text_that_is_no_target_is_refused(text, message):
    with pytest.raises(TargetError) as raised:
        Target.parse(text)
    assert str(raised.value).startswith(message)
