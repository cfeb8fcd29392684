"""What a server costs: CPU time and memory of its process and of all that it has started (Linux).

The CPU time is exact where a server is one process or threads: the scheduler's own nanoseconds,
with those of threads that have ended. Of child processes that have ended there are only their
parent's clock ticks (10 ms each), whose sum is off by no more than two ticks.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from time import clock_gettime_ns
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    pid: int
    parent: int
    of_ended_children: float
    """Seconds of CPU time."""


def members(pid: int) -> list[Stat]:
    """`pid` and its descendants: some servers put their children into sessions of their own."""
    processes = [stat for path in Path("/proc").iterdir() if (stat := read_stat(path)) is not None]
    children: dict[int, list[Stat]] = {}
    for stat in processes:
        children.setdefault(stat.parent, []).append(stat)
    found = [stat for stat in processes if stat.pid == pid]
    for stat in found:  # it grows meanwhile
        found += children.get(stat.pid, [])
    return found


def read_stat(path: Path) -> Stat | None:
    if not path.name.isdecimal():
        return None
    try:
        text = (path / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return Stat(int(path.name), int(fields[1]), (int(fields[13]) + int(fields[14])) / TICKS)


def cpu_time(pid: int) -> float:
    """Seconds of CPU time that `pid` and its descendants have used, user and system."""
    return sum(stat.of_ended_children + own_cpu_time(stat.pid) for stat in members(pid))


def own_cpu_time(pid: int) -> float:
    """Of all threads of one process: what clock_getcpuclockid(3) gives a clock for."""
    try:
        return clock_gettime_ns((~pid << 3) | 2) / 1e9
    except OSError:  # it has ended since
        return 0.0


def memory(pid: int) -> int:
    """Bytes of memory that `pid` and its descendants have of their own (that is: not the pages of
    files, which they share with whatever else runs the same program). What they share with each
    other is counted once."""
    return sum(own_memory(stat.pid) for stat in members(pid))


def own_memory(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(re.search(r"^Pss_Anon:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024
