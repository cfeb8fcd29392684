"""`echoproto ping`: one line after the other on one connection, and how long each answer took."""

from __future__ import annotations

import asyncio
import os
import socket
import threading

import pytest

from echoproto.client.connection import connect
from echoproto.client.ping import Ping
from peers import RESET_AT_CLOSE
from pings import QUICK, answered, peer, ping, statistics
from support import DEADLINE, matching

TIMES = r"rtt min/avg/max/stddev = \d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3} ms"


def mail_server(lines, sock):
    sock.sendall(b"220 mail.example ESMTP\r\n")
    for line in lines:
        sock.sendall(b"250 2.0.0 Ok\r\n" if line == b"NOOP\r\n" else b"500 unknown\r\n")


def test_each_line_that_comes_back_is_shown_with_its_time(server):
    target = f"127.0.0.1:{server.port}"
    for words in [target], ["127.0.0.1", str(server.port)], [f"tcp://{target}"]:
        status, lines, said = ping(*words, *QUICK, "-c", "3")
        assert (status, said) == (0, "")
        assert lines == [
            f"PING {target}: 'ping 1'",
            *[answered(target, number) for number in (1, 2, 3)],
            *statistics(target, "3 lines sent, 3 answered, 0% lost"),
            matching(TIMES),
        ]


def test_the_times_are_summed_up_as_they_were_shown():
    def serve(lines, sock):
        for line in lines:
            sock.sendall(line)

    with peer(serve) as target:
        lines = ping(target, *QUICK, "-c", "4")[1]
    times = [float(line.split("time=")[1].split()[0]) for line in lines[1:5]]
    least, mean, most, deviation = map(float, lines[-1].split("= ")[1].split()[0].split("/"))
    assert (least, most) == (min(times), max(times))
    assert mean == pytest.approx(sum(times) / 4, abs=2e-3)
    variance = sum((time - mean) ** 2 for time in times) / 4
    assert deviation == pytest.approx(variance**0.5, abs=5e-3)


@pytest.mark.parametrize("scheme", ["tls", "telnet", "telnets"])
def test_it_speaks_tls_and_telnet(server, tls_server, certificate, scheme):
    port = (server if scheme == "telnet" else tls_server).port
    env = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    target = f"{scheme}://localhost:{port}"
    status, lines, said = ping(target, *QUICK, "-c", "2", env=env)
    assert (status, said) == (0, "")
    assert lines[1:3] == [answered(target, 1), answered(target, 2)]


def test_it_speaks_to_a_unix_socket(tmp_path):
    def serve(lines, sock):
        for line in lines:
            sock.sendall(line)

    path = str(tmp_path / "echo.sock")
    with peer(serve, socket.AF_UNIX, path) as target:
        status, lines, _ = ping(target, *QUICK, "-c", "1")
    assert (status, lines[1]) == (0, answered(path, 1))


def test_a_line_is_sent_with_cr_lf_and_each_is_another():
    got = []

    def serve(lines, sock):
        for line in lines:
            got.append(line)
            sock.sendall(line)

    with peer(serve) as target:
        assert ping(target, *QUICK, "-c", "2")[0] == 0
    assert got == [b"ping 1\r\n", b"ping 2\r\n"]


def test_a_server_that_never_answers_is_waited_for_a_while():
    with peer(lambda lines, _: lines.read()) as target:
        status, lines, said = ping(target, *QUICK, "-c", "2", "-W", "0.1")
    assert (status, said) == (1, "")
    assert lines[1:] == statistics(target, "2 lines sent, 0 answered, 100% lost")


def test_one_answer_of_three_is_no_failure():
    def serve(lines, sock):
        sock.sendall(lines.readline())
        lines.read()

    with peer(serve) as target:
        status, lines, _ = ping(target, *QUICK, "-c", "3", "-W", "0.2")
    assert (status, lines[1]) == (0, answered(target, 1))
    assert lines[2:4] == statistics(target, r"3 lines sent, 1 answered, 66\.67% lost")


def test_answers_that_come_late_and_in_any_order_are_those_to_their_lines():
    def serve(lines, sock):
        first, second, third = lines.readline(), lines.readline(), lines.readline()
        sock.sendall(third + first + second)
        lines.read()

    with peer(serve) as target:
        status, lines, _ = ping(target, *QUICK, "-c", "3")
    assert status == 0
    assert lines[1:4] == [answered(target, number) for number in (3, 1, 2)]


def test_an_answer_that_takes_longer_than_the_interval_and_a_second_is_not_lost():
    def serve(lines, sock):
        first = lines.readline()
        threading.Event().wait(
            1.2
        )  # how slow it is: slower than any timeout of ours that is not -W
        sock.sendall(first)

    with peer(serve) as target:
        status, lines, _ = ping(target, "-i", "0.2", "-c", "1")
    assert (status, lines[1]) == (0, answered(target, 1))
    assert lines[2:4] == statistics(target, "1 line sent, 1 answered, 0% lost")


@pytest.mark.parametrize("words", [[], ["--send", "NOOP"]])
def test_an_answer_that_comes_after_its_time_is_late(words):
    def serve(lines, sock):
        first = lines.readline()
        # The time of the first is up when the second is sent, an interval later.
        sock.sendall(first + lines.readline())

    with peer(serve) as target:
        status, lines, said = ping(target, "-i", "0.6", "-W", "0.5", "-c", "2", *words)
    assert (status, said) == (0, "")
    assert lines[1] == matching(r"\d bytes from .*: seq=1 time=([6-9]|\d+)\d\d\.\d+ ms \(late\).*")
    assert lines[2] == matching(r"\d bytes from .*: seq=2 time=\d+\.\d+ ms.*")
    assert lines[3:5] == statistics(target, "2 lines sent, 1 answered, 1 late, 50% lost")


@pytest.mark.parametrize("text", [None, b"NOOP"])
def test_of_the_pings_that_are_lost_only_the_last_are_remembered(monkeypatch, text):
    monkeypatch.setattr("echoproto.client.ping.MAX_OVERDUE", 2)
    monkeypatch.setattr("echoproto.client.ping.GREETING_IDLE", 0.01)

    def serve(lines, sock):
        sock.sendall(b"".join([next(lines) for _ in range(5)][:3]))
        lines.read()

    async def main(target):
        said, has_said = [], asyncio.Event()

        def say(line):
            said.append(line)
            if len(said) == 4:
                has_said.set()

        async with asyncio.timeout(DEADLINE), connect(target) as connection:
            pings = Ping(connection, text=text, interval=0.001, timeout=1e-9, say=say)
            running = asyncio.create_task(pings.run())
            await has_said.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        late = f"an answer from {target} is too late to be timed: seq="
        assert said[1:4] == [f"{late}{number}" for number in (1, 2, 3)]
        assert ", 0 answered, 100% lost, " in list(pings.summary())[1]

    with peer(serve) as target:
        asyncio.run(main(target))


def test_an_answer_in_pieces_is_one_answer():
    def serve(lines, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line in lines:
            for byte in line:
                sock.sendall(bytes([byte]))

    with peer(serve) as target:
        status, lines, _ = ping(target, *QUICK, "-c", "2")
    assert (status, lines[1:3]) == (0, [answered(target, 1), answered(target, 2)])


def test_an_answer_that_is_another_line_is_wrong():
    def serve(lines, sock):
        for line in lines:
            sock.sendall(line.upper())

    with peer(serve) as target:
        status, lines, _ = ping(target, *QUICK, "-c", "2", "-W", "0.2")
    assert status == 1
    assert lines[1:3] == [f"wrong answer from {target}: PING {number}" for number in (1, 2)]
    assert lines[3:] == statistics(target, "2 lines sent, 0 answered, 2 wrong, 100% lost")


def test_a_line_that_comes_back_twice_answers_once():
    def serve(lines, sock):
        for line in lines:
            sock.sendall(line + line)

    with peer(serve) as target:
        status, lines, _ = ping(target, *QUICK, "-c", "1")
    assert status == 0
    assert lines[1:3] == [answered(target, 1), f"unexpected line from {target}: ping 1"]
    assert lines[3:5] == statistics(target, "1 line sent, 1 answered, 0% lost")


def test_what_a_server_says_cannot_act_on_the_terminal():
    def serve(lines, sock):
        lines.readline()
        sock.sendall(b"\x1b[2J\xff\r\n")
        lines.read()

    with peer(serve) as target:
        lines = ping(target, *QUICK, "-c", "1", "-W", "0.2")[1]
    assert lines[1] == f"wrong answer from {target}: \\x1b[2J\\xff"


def test_any_line_answers_a_line_that_was_given_and_a_greeting_answers_none():
    with peer(mail_server) as target:
        status, lines, said = ping(target, *QUICK, "-c", "2", "--send", "NOOP")
    assert (status, said) == (0, "")
    assert lines == [
        f"PING {target}: 'NOOP'",
        f"unexpected line from {target}: 220 mail.example ESMTP",
        *[answered(target, number, "250 2.0.0 Ok") for number in (1, 2)],
        *statistics(target, "2 lines sent, 2 answered, 0% lost"),
        matching(TIMES),
    ]


def test_of_several_lines_the_first_is_the_answer():
    def serve(lines, sock):
        for _ in lines:
            sock.sendall(b"one\ntwo\n")

    with peer(serve) as target:
        status, lines, _ = ping(target, "-c", "1", "--send", "HELP")
    assert status == 0
    assert lines[1:3] == [answered(target, 1, "one"), f"unexpected line from {target}: two"]


def test_a_server_that_closes_ends_it():
    def serve(lines, sock):
        sock.sendall(lines.readline())
        lines.readline()

    for words in ["-c", "5"], []:
        with peer(serve) as target:
            status, lines, said = ping(target, *QUICK, *words)
        assert status == 1
        assert lines[1:4] == [
            answered(target, 1),
            *statistics(target, r"\d lines? sent, 1 answered, \d\d(\.\d+)?% lost"),
        ]
        assert said == f"echoproto: {target}: closed by the server\n"


def test_a_server_that_closes_after_the_last_answer_is_no_failure():
    def serve(lines, sock):
        sock.sendall(lines.readline())

    with peer(serve) as target:
        status, lines, said = ping(target, "-c", "1")
    assert (status, said) == (0, "")
    assert lines[1] == answered(target, 1)


def test_a_connection_that_is_reset_ends_it():
    def serve(lines, sock):
        sock.sendall(lines.readline())
        lines.readline()
        sock.setsockopt(*RESET_AT_CLOSE)

    with peer(serve) as target:
        status, lines, said = ping(target, *QUICK)
    assert status == 1
    assert lines[1] == answered(target, 1)
    assert said == f"echoproto: {target}: Connection reset by peer\n"
