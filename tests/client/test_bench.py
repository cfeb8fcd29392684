"""A load on an echo server: every kind of target, and more connections than open files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys

import pytest

from bench_peer import bench, echo, peer
from echoproto.client.bench import Bench
from echoproto.client.load import Load
from echoproto.client.target import Target
from support import BIN, DEADLINE, run, serve

pytestmark = pytest.mark.long

ECHOPROTO = BIN / "echoproto"


@pytest.mark.parametrize("scheme", ["tcp", "tls", "unix", "host and port"])
def test_it_speaks_to_every_kind_of_target(server, tls_server, certificate, tmp_path, scheme):
    env = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    words = ["-c", "5", "-d", "0.2", "--json"]
    with peer(echo(), socket.AF_UNIX, str(tmp_path / "echo.sock")) as unix:
        target = {
            "tcp": [f"tcp://localhost:{server.port}"],
            "tls": [f"tls://localhost:{tls_server.port}"],
            "unix": [unix],
            "host and port": ["localhost", str(server.port)],
        }[scheme]
        done = run(ECHOPROTO, "bench", *target, *words, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    result = json.loads(done.stdout)
    assert result["messages"] > 0
    assert (result["errors"], result["lost_bytes"], result["wrong_bytes"]) == ({}, 0, 0)


def test_a_certificate_is_accepted_unseen_only_if_that_is_said(tls_server):
    target = f"tls://localhost:{tls_server.port}"
    status, result, said = bench(target, "-d", "0.1")
    assert (status, result) == (1, None)
    assert said.startswith(f"echoproto: cannot connect to {target}: its certificate is not trusted")
    status, result, said = bench(target, "-k", "-d", "0.1", "-c", "2")
    assert (status, said) == (0, "")
    assert result["messages"] > 0


def test_a_thousand_connections_are_made_also_where_few_files_may_be_open():
    with serve() as server:
        words = [f"127.0.0.1:{server.port}", "-c", "1000", "-d", "0.2", "--json"]
        done = run("sh", "-c", 'ulimit -Sn 100; exec "$@"', "sh", ECHOPROTO, "bench", *words)
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout)["messages"] >= 1000
        assert len(set(server.log.wait_for(r"\] \[(\d+)\].* connected$", 1000))) == 1000


def test_more_connections_than_there_may_be_files_is_said_before_the_run():
    words = [ECHOPROTO, "bench", "127.0.0.1:1", "-c", "100"]
    done = run("sh", "-c", 'ulimit -n 120; exec "$@"', "sh", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        "echoproto: this many connections need 150 open files, but only 120 are allowed "
        "(ulimit -Hn); give a lower --connections\n"
    )


@pytest.mark.timeout(method="thread")  # the bench has SIGALRM for itself
def test_a_bench_of_no_time_has_a_result_and_leaves_no_signal_handler(server):
    bench = Bench(Target("127.0.0.1", server.port), Load(connections=1, rate=100, duration=0.1))
    assert bench.result().messages_per_second == 0
    assert bench.problem() == ""
    asyncio.run(asyncio.wait_for(bench.run(), DEADLINE))
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert bench.result().messages == 10


def test_it_works_without_uvloop(server):
    program = "import sys; sys.modules['uvloop'] = None; from echoproto.cli import main; main()"
    words = ["bench", f"127.0.0.1:{server.port}", "-d", "0.2", "--json"]
    for more in [], ["-R", "100"]:
        done = run(sys.executable, "-c", program, *words, *more)
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout)["messages"] > 0
