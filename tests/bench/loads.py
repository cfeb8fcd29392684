"""The loads: each is run as a process of its own, and prints what came of it as a line of JSON.

It reads the CPU time of the server, too: at two moments while messages flow, so that neither
connecting nor closing is in it, nor what the server did before.

`echo` is `echoproto bench`. `idle` has one line echoed on each of its connections, prints, and
holds them until its input ends. `connect` connects, has one line echoed and closes, over and over.
`client` is `echo`, but it is the CPU time of the load itself that it reads.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from statistics import quantiles
from time import perf_counter

import uvloop

from bench.measure import cpu_time
from echoproto.client.bench import Bench
from echoproto.client.load import Load
from echoproto.client.target import take_target
from echoproto.errors import NetworkError

WINDOW = (0.1, 0.95)
"""The parts of the time at which the CPU time is read."""
LINE = b"x" * 62 + b"\r\n"
OPENED_AT_ONCE = 50
"""Connections that are opened before the first is used: fewer than any server's backlog."""
TIMEOUT = 30.0


def run_bench(given, tell=lambda _seconds, _messages: None):
    """Messages in closed loop, every byte checked; the result."""
    scheme = "tls" if given.tls else "tcp"
    target, _ = take_target([f"{scheme}://127.0.0.1:{given.port}"])
    work = Load(given.connections, given.depth, given.size, b"\r\n", duration=given.seconds)
    bench = Bench(target, work, insecure=True)
    bench.on_progress = tell
    try:
        uvloop.run(bench.run())
    except (NetworkError, OSError) as error:
        sys.exit(str(error))
    if problem := bench.problem():
        sys.exit(problem)
    return bench.result()


def client(given):
    result = run_bench(given)
    return {
        "cpu": result.cpu_seconds / result.messages,
        "rate": result.messages_per_second,
    }


def echo(given):
    readings = []

    def read(seconds, messages):
        if len(readings) < len(WINDOW) and seconds >= given.seconds * WINDOW[len(readings)]:
            readings.append((cpu_time(given.pid), messages))

    result = run_bench(given, read)
    (cpu, messages), (later_cpu, later_messages) = readings
    if later_messages == messages:
        sys.exit("no message came back in time")
    return {
        "cpu": (later_cpu - cpu) / (later_messages - messages),
        "rate": result.messages_per_second,
        "p50": result.latency["p50"],
        "p99": result.latency["p99"],
    }


def connect(given):
    """As many at once as there are `connections`. (An event loop would do no more of them.)"""
    times = []
    cpu = cpu_time(given.pid)
    start = perf_counter()
    while (elapsed := perf_counter() - start) < given.seconds:
        visitors = [(perf_counter(), send_line(given.port)) for _ in range(given.connections)]
        for arrived, sock in visitors:
            receive_line(sock)
            times.append(perf_counter() - arrived)
            sock.close()
    percentiles = quantiles(times, n=100)
    return {
        "cpu": (cpu_time(given.pid) - cpu) / len(times),
        "rate": len(times) / elapsed,
        "p50": percentiles[49],
        "p99": percentiles[98],
    }


def idle(given):
    connections = []
    while len(connections) < given.connections:
        count = min(OPENED_AT_ONCE, given.connections - len(connections))
        some = [send_line(given.port) for _ in range(count)]
        for sock in some:
            receive_line(sock)
        connections += some
    print(json.dumps({"connections": len(connections)}), flush=True)
    sys.stdin.read()


def send_line(port):
    """A new connection, on which a line is under way."""
    sock = socket.socket()
    sock.settimeout(TIMEOUT)
    sock.connect(("127.0.0.1", port))
    sock.sendall(LINE)
    return sock


def receive_line(sock):
    data = b""
    while len(data) < len(LINE):
        more = sock.recv(len(LINE))
        if not more:
            raise ConnectionError("the server has closed the connection")
        data += more
    if data != LINE:
        raise ConnectionError("what came back is not what was sent")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["echo", "client", "connect", "idle"])
    parser.add_argument("--pid", type=int, help="the server's")
    for name in ("--port", "--connections", "--depth", "--size"):
        parser.add_argument(name, type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--tls", action="store_true")
    given = parser.parse_args()
    if given.kind == "idle":
        idle(given)
    else:
        load = {"echo": echo, "client": client, "connect": connect}[given.kind]
        print(json.dumps(load(given)))


if __name__ == "__main__":
    main()
