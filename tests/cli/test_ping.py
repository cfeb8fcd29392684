"""`echoproto ping` on the command line: Ctrl-C, a closed output, and what is wrong."""

from __future__ import annotations

import signal
import subprocess
import threading

import pytest

from pings import ECHOPROTO, QUICK, peer, statistics
from support import DEADLINE, Output, receive_all, run, start


def test_each_answer_is_printed_when_it_comes_and_ctrl_c_prints_the_summary(server):
    target = f"127.0.0.1:{server.port}"
    for number, status in (signal.SIGINT, 0), (signal.SIGTERM, 143):
        with start(ECHOPROTO, "ping", "-i", "1000", target, stderr=subprocess.PIPE) as process:
            output = Output(process.stdout)
            output.wait_for("seq=1 ")
            process.send_signal(number)
            assert process.wait(DEADLINE) == status
            lines = output.wait_for_end().splitlines()
            assert process.stderr.read() == b""
        assert lines[2:4] == statistics(target, "1 line sent, 1 answered, 0% lost")


def test_at_ctrl_c_what_is_in_flight_is_not_lost():
    asked = threading.Event()

    def serve(lines, sock):
        lines.readline()
        asked.set()
        receive_all(sock)

    with peer(serve) as target, start(ECHOPROTO, "ping", "-i", "1000", target) as process:
        assert asked.wait(DEADLINE)
        process.send_signal(signal.SIGINT)
        lines = process.stdout.read().decode().splitlines()
        assert process.wait(DEADLINE) == 1
    assert lines[1:] == statistics(target, "1 line sent, 0 answered, 1 in flight, 0% lost")


def test_an_output_that_is_closed_ends_it_quietly(server):
    target = f"127.0.0.1:{server.port}"
    with start(ECHOPROTO, "ping", *QUICK, target, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["127.0.0.1:1"], 1, "echoproto: cannot connect to 127.0.0.1:1: Connection refused"),
        (["no.such.invalid:1"], 1, "echoproto: cannot find host no.such.invalid: "),
        ([], 2, "Error: Missing argument 'TARGET'."),
        (["localhost"], 2, "Error: localhost: the port is missing; give HOST PORT, "),
        (["localhost:1", "-c", "0"], 2, "Error: Invalid value for '-c' / '--count': '0' is not"),
        (["localhost:1", "-i", "0"], 2, "Error: Invalid value for '-i' / '--interval': '0' is not"),
        (["localhost:1", "-W", "0"], 2, "Error: Invalid value for '-W' / '--timeout': '0' is not"),
        (["localhost:1", "-i", "nan"], 2, "Error: Invalid value for '-i' / '--interval': 'nan' is"),
        (["localhost:1", "--send", "a\nb"], 2, "Error: --send takes one line: TEXT must not "),
    ],
)
def test_what_is_wrong_is_said_in_a_clear_line(words, status, message):
    done = run(ECHOPROTO, "ping", *words)
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.decode().splitlines()[-1].startswith(message)
