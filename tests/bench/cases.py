"""The work that every server is given, and what is measured of it."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import memory
from bench.results import OURS
from bench.servers import CannotError, missing

TESTS = Path(__file__).parents[1]
SPARE_FILES = 200
"""File descriptors that a process needs besides those of its connections."""
MAX_PROCESSES = 1000
TIMEOUT = 30.0
"""Seconds that a load may take for connecting and closing."""


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    connections: int
    depth: int = 1
    """Messages in flight on each connection."""
    size: int = 64
    tls: bool = False
    load: str = "echo"
    unit: str = "message"
    reference: str = "c"
    """The peer that the others are compared with."""
    server: str | None = None
    """The peer that serves, where it is clients that are compared."""
    clients: dict[str, str] = field(default_factory=dict)
    """Labels of the clients that are compared, each by the name of its server."""

    def takes(self, peer):
        return not self.clients or peer in self.clients


CASES = {
    case.name: case
    for case in [
        Case("small", "64 bytes, 50 connections, one message in flight", 50),
        Case("depth", "64-byte lines, 50 connections, 100 in flight", 50, depth=100),
        Case("large", "16 KiB, 50 connections, one message in flight", 50, size=16384),
        Case("one", "64 bytes, 1 connection, one message in flight", 1),
        Case("thousand", "64 bytes, 1,000 connections, one message in flight", 1000),
        Case(
            "tls",
            "TLS: 64 bytes, 50 connections, one message in flight",
            50,
            tls=True,
            reference="protocol-uvloop",
        ),
        Case("idle", "10,000 idle connections", 10_000, load="idle"),
        Case("connect", "Connect, echo 64 bytes, close", 8, load="connect", unit="connection"),
        Case(
            "client",
            "Clients, of the server in C: 64 bytes, 50 connections, one message in flight",
            50,
            load="client",
            server="c",
            clients={OURS: "echoproto bench", "c": "C, epoll, checks nothing"},
        ),
    ]
}


def check(case, peer):
    """Raise CannotError if `peer` can not do this work here, and that is known beforehand."""
    if why := missing(peer):
        raise CannotError(why)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if case.connections + SPARE_FILES > files:
        raise CannotError(f"ulimit -n is {files}, {case.connections + SPARE_FILES} are needed")
    if case.tls and shutil.which("openssl") is None:
        raise CannotError("openssl is not installed: apt install openssl")
    if peer.forks and case.connections > MAX_PROCESSES:
        raise CannotError("would run a process for each connection")


def measure(case, peer, server, seconds):
    """Give `server` the work for `seconds`; the sample, by metric.

    "cpu": seconds of the server's CPU time for each message (or connection), or of the client's
    where clients are compared; "rate": messages a second; "p50", "p99": seconds from sending a
    message to having it back; "memory": bytes for each connection.
    """
    if case.load == "idle":
        return measure_idle(case, server)
    command = load_command(case, server, seconds)
    if case.clients and peer == "c":
        numbers = (server.port, case.connections, case.size, seconds)
        command = [server.log.with_name("client_c"), *map(str, numbers)]
    try:
        done = subprocess.run(
            command,
            cwd=TESTS,
            capture_output=True,
            text=True,
            timeout=seconds + TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotError("does not answer each connection") from None
    if done.returncode:
        raise CannotError(what_failed(done.stderr))
    return json.loads(done.stdout)


def measure_idle(case, server):
    """The server is new: memory that earlier connections left free would take in later ones."""
    before = memory(server.pid)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(load_command(case, server, 0), cwd=TESTS, text=True, **pipes) as load:
        report = load.stdout.readline()
        used = memory(server.pid) - before
        _, errors = load.communicate("")
    if not report:
        raise CannotError(what_failed(errors))
    return {"memory": used / json.loads(report)["connections"]}


def load_command(case, server, seconds):
    numbers = {
        "--pid": server.pid,
        "--port": server.port,
        "--connections": case.connections,
        "--depth": case.depth,
        "--size": case.size,
        "--seconds": seconds,
    }
    words = [str(word) for pair in numbers.items() for word in pair]
    tls = ["--tls"] if case.tls else []
    return [sys.executable, "-m", "bench.loads", case.load, *words, *tls]


def what_failed(errors):
    """What a load said last, without the name of the exception."""
    return re.sub(r"^\w+Error: ", "", errors.strip().rpartition("\n")[2]).rstrip(".")
