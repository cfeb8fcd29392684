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
from contextlib import contextmanager, suppress

import pytest

from support import (
    BIN,
    DEADLINE,
    Terminal,
    eventually,
    receive_all,
    receive_exactly,
    run,
    serve,
    start,
)

ECHOPROTO = BIN / "echoproto"

KEYS = [
    *["target", "connections", "depth", "size", "rate", "duration"],
    *["messages", "messages_per_second", "bytes", "megabytes_per_second"],
    *["errors", "lost_bytes", "wrong_bytes", "latency", "cpu_seconds"],
]
LATENCIES = ["mean", "min", "p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"]


def bench(*words):
    """Run a short one; its status, its result, and what it says."""
    done = run(ECHOPROTO, "bench", *words, "--json")
    result = json.loads(done.stdout) if done.stdout else None
    return done.returncode, result, done.stderr.decode()


@contextmanager
def peer(serve, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """A server that has a thread in `serve` for each connection; gives its target."""

    def accept():
        with suppress(OSError):
            while True:
                sock = listener.accept()[0]
                sock.settimeout(DEADLINE)
                threads.append(threading.Thread(target=handle, args=[sock]))
                threads[-1].start()

    def handle(sock):
        with sock, suppress(OSError):
            serve(sock)

    threads = []
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(1000)
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        name = listener.getsockname()
        try:
            yield f"unix://{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(DEADLINE)
            for thread in threads:
                thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads)


def echo(change=lambda data, _: data):
    """A server that echoes what `change` makes of each chunk, after so many bytes."""

    def serve(sock):
        so_far = 0
        while data := sock.recv(65536):
            sock.sendall(change(data, so_far))
            so_far += len(data)

    return serve


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


@pytest.mark.parametrize("depth", [1, 100])
@pytest.mark.parametrize("rate", [[], ["-R", "2000"]], ids=["closed loop", "open loop"])
def test_however_the_echo_is_cut_into_pieces_nothing_is_wrong(depth, rate):
    def serve(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := sock.recv(1 + depth * 9):  # no multiple of a message's size
            for at in range(0, len(data), 7 + depth * 5):
                sock.sendall(data[at : at + 7 + depth * 5])

    with peer(serve) as target:
        words = ["-c", "3", "--depth", str(depth), "-s", "20", "-d", "0.3", *rate]
        status, result, said = bench(target, *words)
    assert (status, said) == (0, "")
    assert result["bytes"] == 20 * result["messages"] > 0


def test_there_are_never_more_than_depth_messages_in_flight():
    most = []

    def serve(sock):
        in_flight = 0
        while data := sock.recv(65536):
            in_flight += len(data)
            most.append(in_flight)
            for at in range(0, len(data), 64):
                sock.sendall(data[at : at + 64])
                in_flight -= len(data[at : at + 64])

    for rate in [], ["-R", "1000"]:
        with peer(serve) as target:
            assert bench(target, "-c", "1", "--depth", "7", "-d", "0.2", *rate)[0] == 0
    assert max(most) == 7 * 64


def test_every_message_is_a_line_of_its_own():
    got = []

    def serve(sock):
        while data := sock.recv(65536):
            got.append(data)
            sock.sendall(data)

    for words, end in ([], b"\n"), (["-C"], b"\r\n"):
        with peer(serve) as target:
            assert bench(target, "-c", "1", "-s", "16", "-d", "0.1", *words)[0] == 0
        lines = b"".join(got).split(end)
        got.clear()
        assert lines.pop() == b""
        assert {len(line) for line in lines} == {16 - len(end)}
        assert all(line.isascii() and line.decode().isprintable() for line in lines)
        assert len({*lines[:100]}) == min(100, len(lines))


def test_connections_do_not_send_the_same():
    first = []

    def serve(sock):
        first.append(receive_exactly(sock, 64))
        sock.sendall(first[-1])
        echo()(sock)

    with peer(serve) as target:
        assert bench(target, "-c", "50", "-d", "0.1")[0] == 0
    assert len({*first}) == len(first) == 50


def once(change):
    """A change of one chunk, the tenth message."""
    return lambda data, so_far: change(data) if so_far == 9 * 64 else data


@pytest.mark.parametrize("rate", [[], ["-R", "1000"]], ids=["closed loop", "open loop"])
@pytest.mark.parametrize(
    ("change", "wrong", "lost", "first"),
    [
        (once(lambda data: data[:9] + b"." + data[10:]), 1, 0, "585 bytes: '."),
        (once(lambda data: data[:-1] + b"\0"), 1, 0, "639 bytes: '\\x00' came, not '\\x0a'"),
        (once(lambda data: data + b"x"), 1, 0, "640 bytes: 'x' came, not ''"),
        (once(lambda data: data[1:] + b"\n"), None, 0, "576 bytes: "),
        (once(lambda data: data[:63]), 0, 1, None),
        (once(lambda _: b""), 0, 64, None),
    ],
    ids=["changed", "line end changed", "added", "dropped", "end missing", "message missing"],
)
def test_what_is_not_echoed_as_it_was_sent_is_counted_and_shown(change, wrong, lost, first, rate):
    with peer(echo(change)) as target:
        status, result, said = bench(target, "-c", "1", "-d", "0.1", *rate)
    assert status == 1
    if not rate:  # where it is, what came due after it is lost as well
        assert result["lost_bytes"] == lost
    assert bool(lost) == bool(result["lost_bytes"])
    if lost:
        assert f"bytes lost: {result['lost_bytes']:,}, " in said
    if wrong is not None:
        assert result["wrong_bytes"] == wrong
    if first:
        assert (
            f"bytes wrong: {result['wrong_bytes']:,}, the first on connection 1 after {first}"
            in said
        )
    assert said.startswith(f"echoproto: {target}: ")
    assert said.count("\n") == 1


def test_a_server_that_changes_what_it_echoes_is_told_by_how_much():
    with peer(echo(lambda data, _: data.upper())) as target:
        status, result, said = bench(target, "-c", "3", "-d", "0.2", "-s", "1000")
    assert status == 1
    assert result["errors"] == {}
    assert 0 < result["wrong_bytes"] < result["bytes"]  # capitals and digits are right
    assert f"bytes wrong: {result['wrong_bytes']:,}, the first on connection " in said


def test_an_echo_that_comes_twice_is_wrong_also_where_all_messages_are_the_same():
    with peer(echo(lambda data, _: data * 2)) as target:
        status, result, _ = bench(target, "-c", "1", "-s", "1", "-d", "0.1")
    assert status == 1
    assert result["wrong_bytes"] > 0


def test_a_message_of_another_connection_is_wrong():
    waiting = []
    lock = threading.Lock()

    def serve(sock):
        while data := sock.recv(65536):
            with lock:
                waiting.append((sock, data))
                if len(waiting) < 2:
                    continue
                (one, its), (other, others) = waiting
                waiting.clear()
            one.sendall(others)
            other.sendall(its)

    with peer(serve) as target:
        status, result, _ = bench(target, "-c", "2", "-d", "0.1")
    assert status == 1
    assert result["wrong_bytes"] > 0


def close(sock):
    for _ in range(10):
        sock.sendall(receive_exactly(sock, 64))
    receive_exactly(sock, 64)  # closing with something unread would be a reset


def reset(sock):
    close(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    ("serve", "why"),
    [(close, "closed by the server"), (reset, "Connection reset by peer")],
    ids=["closed", "reset"],
)
def test_when_all_connections_are_lost_it_ends(serve, why):
    with peer(serve) as target:
        status, result, said = bench(target, "-c", "3", "-d", "1000")
    assert status == 1
    assert result["errors"] == {why: 3}
    assert result["lost_bytes"] == 3 * 64
    assert said.startswith(f"echoproto: {target}: {why} (3 of 3 connections); bytes lost: 192\n")
    assert result["duration"] < 1000


def test_when_one_connection_is_lost_the_others_go_on():
    doomed = []

    def serve(sock):
        if not doomed:
            doomed.append(sock)
            close(sock)
        else:
            echo()(sock)

    with peer(serve) as target:
        status, result, said = bench(target, "-c", "3", "-d", "0.3")
    assert status == 1
    assert result["errors"] == {"closed by the server": 1}
    assert "closed by the server (1 of 3 connections)" in said
    assert result["duration"] >= 0.3
    assert result["messages"] > 10


def test_a_connection_that_cannot_be_made_is_counted():
    def serve(sock):
        with suppress(OSError):
            only_one.remove(1)
            echo()(sock)

    only_one = [1]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        host, port = listener.getsockname()

        def accept():
            with listener.accept()[0] as sock:
                listener.close()  # whoever waits to be accepted is refused, or reset
                echo()(sock)

        thread = threading.Thread(target=accept)
        thread.start()
        status, result, said = bench(host, str(port), "-c", "200", "-d", "0.2")
        thread.join(DEADLINE)
    assert status == 1
    assert sum(result["errors"].values()) == 199
    assert "(" in said
    assert result["messages"] > 0


def test_in_open_loop_every_message_is_sent_that_comes_due(server):
    target = f"127.0.0.1:{server.port}"
    for rate, count in ("500", 150), ("3", 1), ("7", 3), ("10000", 3000):
        status, result, said = bench(target, "-c", "7", "-R", rate, "-d", "0.3")
        assert (status, said) == (0, "")
        assert (result["rate"], result["messages"]) == (float(rate), count)


def test_in_open_loop_what_waits_for_a_slow_answer_counts_from_when_it_was_due():
    # Without that, one message of a hundred would have been slow, and the median fast.
    def serve(sock):
        data = receive_exactly(sock, 64)
        threading.Event().wait(1.0)  # how slow it is
        sock.sendall(data)
        echo()(sock)

    with peer(serve) as target:
        status, result, _ = bench(target, "-c", "1", "-R", "100", "-d", "1")
    assert status == 0
    assert result["messages"] == 100
    assert result["latency"]["max"] >= 1.0
    assert result["latency"]["p50"] >= 0.4
    assert result["latency"]["min"] < result["latency"]["p50"]


def test_what_never_comes_back_is_lost():
    with peer(receive_all) as target:
        status, result, said = bench(target, "-c", "2", "-R", "20", "-d", "0.5")
    assert status == 1
    assert said == f"echoproto: {target}: bytes lost: 640, which did not come back in 5 seconds\n"
    assert (result["messages"], result["lost_bytes"]) == (0, 640)
    assert set(result["latency"].values()) == {None}


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
        "echoproto: so many connections need 150 open files, and no more than 120 are allowed "
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
        (["telnet://localhost"], 2, "Error: telnet://localhost:23: telnet may change bytes, and"),
        (["localhost:1", "-c", "0"], 2, "Error: Invalid value for '-c' / '--connections': 0 is"),
        (["localhost:1", "--depth", "x"], 2, "Error: Invalid value for '--depth': 'x' is not"),
        (["localhost:1", "-d", "inf"], 2, "Error: Invalid value for '-d' / '--duration': inf is"),
        (["localhost:1", "-R", "nan"], 2, "Error: Invalid value for '-R' / '--rate': 'nan' is no"),
        (["localhost:1", "-R", "0"], 2, "Error: Invalid value for '-R' / '--rate': 0.0 is not"),
        (["localhost:1", "-s", "1", "-C"], 2, "Error: --size 1 leaves no room for CR LF; give 2"),
        (["localhost:1", "-c", "1000", "-s", "10000000"], 2, "Error: --connections, --depth and "),
        (["localhost:1", "--plot", "x.pdf"], 2, "Error: --plot x.pdf: give a file that ends in "),
        (["localhost:1", "--plot", "/nosuch/x.png"], 2, "Error: --plot /nosuch/x.png: no file "),
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
