"""`echoproto bench`: load on servers that echo, and on servers that do not quite."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from bench_peer import bench, echo, peer
from support import BIN, DEADLINE, Terminal, eventually, receive_exactly, run, serve, start

ECHOPROTO = BIN / "echoproto"

KEYS = [
    *["target", "connections", "depth", "size", "rate", "duration"],
    *["messages", "messages_per_second", "bytes", "megabytes_per_second"],
    *["errors", "lost_bytes", "wrong_bytes", "latency", "cpu_seconds"],
]
LATENCIES = ["mean", "min", "p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"]


def test_the_result_is_one_json_object(server):
    target = f"127.0.0.1:{server.port}"
    status, result, said = bench(target, "-c", "3", "--depth", "2", "-s", "100", "-d", "0.2")
    assert (status, said) == (0, "")
    assert list(result) == KEYS
    assert list(result["latency"]) == LATENCIES
    assert result["target"] == f"tcp://{target}"
    assert (result["connections"], result["depth"], result["size"]) == (3, 2, 100)
    assert (result["rate"], result["errors"]) == (None, {})
    assert (result["lost_bytes"], result["wrong_bytes"]) == (0, 0)
    assert result["messages"] > 0
    assert result["bytes"] == 100 * result["messages"]
    assert result["duration"] >= 0.2
    assert result["messages_per_second"] == result["messages"] / result["duration"]
    assert result["megabytes_per_second"] == result["bytes"] / result["duration"] / 1e6
    assert result["cpu_seconds"] > 0
    ordered = [result["latency"][name] for name in result["latency"] if name != "mean"]
    assert ordered[0] > 0
    assert ordered == sorted(ordered)


def test_the_result_is_a_table(server):
    done = run(ECHOPROTO, "bench", f"127.0.0.1:{server.port}", "-c", "2", "-d", "0.2")
    assert (done.returncode, done.stderr) == (0, b"")
    words = [line.split() for line in done.stdout.decode().splitlines() if line]
    assert [line[0] for line in words] == [
        *[f"tcp://127.0.0.1:{server.port}:", "messages", "bytes", "errors", "lost", "wrong"],
        *["latency", "min", "p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"],
    ]
    assert words[3][1] == words[4][1] == words[5][1] == "0"


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


def test_it_works_without_uvloop(server):
    program = "import sys; sys.modules['uvloop'] = None; from echoproto.cli import main; main()"
    words = ["bench", f"127.0.0.1:{server.port}", "-d", "0.2", "--json"]
    for more in [], ["-R", "100"]:
        done = run(sys.executable, "-c", program, *words, *more)
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout)["messages"] > 0


@pytest.mark.parametrize(
    ("name", "begins"), [("plot.png", b"\x89PNG"), ("PLOT.SVG", b"<?xml")], ids=["png", "svg"]
)
def test_a_plot_is_drawn_as_the_file_is_called(server, tmp_path, name, begins):
    words = [f"127.0.0.1:{server.port}", "-d", "0.2", "-c", "2", "--plot", name]
    done = run(ECHOPROTO, "bench", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_plot_of_nothing_is_drawn_too(tmp_path):
    with peer(lambda _: None) as target:
        done = run(ECHOPROTO, "bench", target, "-c", "2", "--plot", tmp_path / "plot.png")
    assert done.returncode == 1
    # Which of the two depends on whether the first message comes before the server closes.
    assert re.search(rb"closed by the server|Connection reset by peer", done.stderr)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_a_plot_is_refused_before_the_run():
    program = "import sys; sys.modules['matplotlib'] = None; from echoproto.cli import main; main()"
    done = run(sys.executable, "-c", program, "bench", "127.0.0.1:1", "--plot", "plot.png")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == (
        "Error: --plot needs matplotlib: pip install 'echoproto[plot]'"
    )


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


def test_a_terminal_shows_how_far_it_is(server):
    with Terminal(ECHOPROTO, "bench", f"127.0.0.1:{server.port}", "-d", "1", "-c", "2") as terminal:
        lines = terminal.wait_for("[status 0]")
        assert sum(line.startswith("latency  mean") for line in lines) == 1
        assert any(line.startswith("[===") and line.endswith(" messages/s") for line in lines)


def test_ctrl_c_at_a_terminal_ends_it_with_the_result_so_far(server):
    words = ["bench", f"127.0.0.1:{server.port}", "-d", "1000", "-c", "2"]
    with Terminal(ECHOPROTO, *words) as terminal:
        eventually(lambda: any("messages/s" in line for line in terminal.lines()), "it runs")
        terminal.press("C-c")
        lines = terminal.wait_for("[status 130]")
        assert sum(line.startswith("latency  mean") for line in lines) == 1
