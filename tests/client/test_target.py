from __future__ import annotations

import pytest

from echoproto.client.target import Target, TargetError, take_target


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
    ],
)
def test_what_is_no_target_is_refused_with_what_would_be_one(words, message):
    with pytest.raises(TargetError) as raised:
        take_target(words)
    assert str(raised.value).startswith(message)


def test_its_name_is_short():
    assert Target("::1", 2020).name == "[::1]:2020"
    assert Target(path="/run/echo.sock").name == "/run/echo.sock"
