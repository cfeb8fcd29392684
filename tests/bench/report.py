"""The results as Markdown: the machine, the targets, and a table for each case."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.cases import CASES
from bench.results import OURS, STOCK, TARGETS
from bench.servers import PEERS

CHART = "benchmarks.svg"
NOTHING = "-"

HOW = """\
This page is written by `make bench`, in one run. Every server gets the same work: the load is
`echoproto bench`, one process on the same machine, whose messages are lines ended by CR LF; it
checks every byte that comes back. In each of {rounds} rounds each server is measured once, in turn,
for {seconds:g} s, and each round begins with another: a change of the machine's speed meets all.
Figures are medians of the rounds; ratios are medians of the ratios within each round.

CPU time is that of the server alone, with all its threads and processes, user and system, in
microseconds for each message, while messages flow: neither connecting nor closing is in it.
Messages a second and latency (p50, p99) are of server and load together, on the cores that they
share: where the server is fast, they show the load. Each server is one process with one thread, but
for Go, which uses all cores, and those that run a thread or a process for each connection. Ours is
run as a user would run it, with its log, which goes to a file. Where clients are compared, CPU time
is that of the client. The servers stand in `tests/bench/peers/`, and how each is run in
`tests/bench/servers.py`."""

COLUMNS = {
    "cpu": ("CPU, µs", lambda value: digits(value * 1e6)),
    "rate": ("{}s/s", lambda value: f"{value:,.0f}"),
    "p50": ("p50, ms", lambda value: digits(value * 1e3)),
    "p99": ("p99, ms", lambda value: digits(value * 1e3)),
    "memory": ("bytes each", lambda value: f"{value:,.0f}"),
}


def digits(value):
    """Three digits that count."""
    return f"{value:#.3g}" if abs(value) < 100 else f"{value:,.0f}"


def write(results, peers, cases, how):
    """The whole page. `how` has the rounds, their seconds, and the load average before."""
    done = [case for case in CASES.values() if case.name in cases]
    parts = [
        "# Benchmarks",
        HOW.format(**how),
        machine(how["load_average"]),
        "## Targets",
        targets(results),
        f"![CPU time per message, by server]({CHART})",
        *[part for case in done for part in (f"## {case.title}", *table(results, case, peers))],
    ]
    return "\n\n".join(parts) + "\n"


def targets(results):
    rows = [["target", "wanted", "measured", "rounds", "reached"]]
    for target in TARGETS:
        values = target.values(results)
        wanted = f"≤ {target.limit:g}"
        if values:
            value = median(values)
            spread = f"{digits(min(values))} to {digits(max(values))}"
            reached = "yes" if value <= target.limit else "**no**"
            rows.append([target.text, wanted, digits(value), spread, reached])
        else:
            rows.append([target.text, wanted, NOTHING, NOTHING, "not measured"])
    return markdown(rows)


def table(results, case, peers):
    """Rows from the cheapest server; below it, who was left out and why."""
    shown = [peer for peer in peers if (case.name, peer) in results.samples]
    if shown:
        metrics = [metric for metric in COLUMNS if results.values(case.name, shown[0], metric)]
        shown.sort(key=lambda peer: results.median(case.name, peer, metrics[0]))
        headings = [COLUMNS[metric][0].format(case.unit) for metric in metrics]
        if "cpu" in metrics:
            headings.append(f"ratio to {label(case, case.reference)}")
            if case.takes(STOCK):
                headings.append("better than LineReceiver")
        rows = [row(results, case, peer, metrics) for peer in shown]
        yield markdown([["client" if case.clients else "server", *headings], *rows])
    left = [
        f"{label(case, peer)}: {results.left_out[case.name, peer]}"
        for peer in peers
        if (case.name, peer) in results.left_out
    ]
    if left:
        yield f"Left out: {'; '.join(left)}."


def label(case, peer):
    return case.clients.get(peer, PEERS[peer].label)


def row(results, case, peer, metrics):
    cells = [COLUMNS[metric][1](results.median(case.name, peer, metric)) for metric in metrics]
    if "cpu" in metrics:
        for one, other in [(peer, case.reference), (STOCK, peer)][: 1 + case.takes(STOCK)]:
            ratio = results.ratio(case.name, "cpu", one, other)
            cells.append(NOTHING if ratio is None else f"{ratio:.2f} x")
    name = label(case, peer)
    return [f"**{name}**" if peer == OURS else name, *cells]


def markdown(rows):
    """A table; the first row is its heading, the first column is text."""
    heading, *body = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([heading, f"| --- |{' ---: |' * (len(rows[0]) - 1)}", *body])


def machine(load_average):
    """What kind of machine it was, and the versions of what was run."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = [f"{name} {version(name)}" for name in ("Twisted", "uvloop", "gevent")]
    for tool, *command in (("go", "version"), ("cc", "--version")):
        if shutil.which(tool):
            done = subprocess.run([tool, *command], capture_output=True, text=True, check=True)
            versions.append(done.stdout.partition("\n")[0].removeprefix("go version "))
    return (
        f"Measured on {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}: "
        f"{cpu[1] if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"Linux {platform.release().partition('-')[0]}, "
        f"{platform.python_implementation()} {platform.python_version()}, {', '.join(versions)}. "
        f"The load average before the run was {load_average:.2f}."
    )
