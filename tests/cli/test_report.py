"""What `echoproto bench` shows of its result: a bar, a table, JSON, a plot."""

from __future__ import annotations

import re
import sys

import pytest

from bench_peer import bench, peer
from support import BIN, eventually, run
from terminal import Terminal

pytestmark = pytest.mark.long

ECHOPROTO = BIN / "echoproto"

KEYS = [
    *["target", "connections", "depth", "size", "rate", "duration"],
    *["messages", "messages_per_second", "bytes", "megabytes_per_second"],
    *["errors", "lost_bytes", "unsent_bytes", "wrong_bytes"],
    *["latency", "cpu_seconds", "longest_stall", "session"],
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
    words = [line for line in words if line[:2] != ["The", "client"]]
    assert [line[0] for line in words] == [
        *[f"tcp://127.0.0.1:{server.port}:", "messages", "bytes", "errors", "lost", "not", "wrong"],
        *["latency", "min", "p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"],
    ]
    assert words[3][1] == words[4][1] == words[5][2] == words[6][1] == "0"


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
