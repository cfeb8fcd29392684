"""`echoproto bench` on the command line: signals, and what is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import threading

import pytest

from bench_peer import echo, peer
from support import BIN, DEADLINE, receive_exactly, run, start

ECHOPROTO = BIN / "echoproto"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("rate", [[], ["-R", "1000"]], ids=["closed loop", "open loop"])
def test_a_signal_ends_it_with_the_result_so_far(rate, number, status):
    echoed = threading.Event()

    def serve(sock):
        for _ in range(10):
            sock.sendall(receive_exactly(sock, 64))
        echoed.set()
        echo()(sock)

    words = [ECHOPROTO, "bench", "-c", "1", "-d", "1000", "--json", *rate]
    with peer(serve) as target, start(*words, target, stderr=subprocess.PIPE) as process:
        assert echoed.wait(DEADLINE)
        process.send_signal(number)
        result = json.loads(process.stdout.read())
        assert process.wait(DEADLINE) == status
        assert process.stderr.read() == b""
    assert result["messages"] >= 9
    assert (result["lost_bytes"], result["wrong_bytes"], result["errors"]) == (0, 0, {})
    assert 0 < result["duration"] < 1000


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["127.0.0.1:1"], 1, "echoproto: cannot connect to 127.0.0.1:1: Connection refused"),
        (["no.such.invalid:1"], 1, "echoproto: cannot find host no.such.invalid: "),
        (["unix:///nosuch"], 1, "echoproto: cannot connect to /nosuch: No such file or directory"),
        ([], 2, "Error: Missing argument 'TARGET'."),
        (["localhost", "1", "2"], 2, "Error: unexpected argument '2' after the target localhost:1"),
        (["telnet://localhost"], 2, "Error: telnet://localhost:23: telnet may change bytes, but"),
        (["localhost:1", "-c", "0"], 2, "Error: Invalid value for '-c' / '--connections': '0' is"),
        (["localhost:1", "--depth", "x"], 2, "Error: Invalid value for '--depth': 'x' is not"),
        (["localhost:1", "-d", "inf"], 2, "Error: Invalid value for '-d' / '--duration': 'inf' is"),
        (["localhost:1", "-R", "nan"], 2, "Error: Invalid value for '-R' / '--rate': 'nan' is not"),
        (["localhost:1", "-R", "1e308"], 2, "Error: Invalid value for '-R' / '--rate': '1e308' is"),
        (["localhost:1", "-s", "100000000"], 2, "Error: Invalid value for '-s' / '--size': '10000"),
        (["localhost:1", "-R", "0"], 2, "Error: Invalid value for '-R' / '--rate': '0' is not"),
        (["localhost:1", "-s", "1", "-C"], 2, "Error: --size 1 leaves no room for CR LF; give 2"),
        (["localhost:1", "-c", "1000", "-s", "10000000"], 2, "Error: --connections, --depth and "),
        (["localhost:1", "--plot", "x.pdf"], 2, "Error: --plot x.pdf: the file name must end in "),
        (["localhost:1", "--plot", "/nosuch/x.png"], 2, "Error: --plot /nosuch/x.png: cannot "),
    ],
)
def test_what_is_wrong_is_said_in_a_clear_line(words, status, message):
    done = run(ECHOPROTO, "bench", *words)
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.decode().splitlines()[-1].startswith(message)
    if status == 1:
        assert done.stderr.count(b"\n") == 1
