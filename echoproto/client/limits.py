"""What the system must have for a load: open files, local ports, memory. Checked before the run.

Each function raises OSError with one line that says what there is, and what to lower.
`bench` calls `check`.
"""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from echoproto.client.load import Load
    from echoproto.client.target import Target

_OTHER_FILES: Final = 50  # open files besides the connections
_COPIES: Final = 3  # of the text while it is made; and of what is in flight: here and in the system
_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")  # for IPv6 too
_MEMORY: Final = Path("/proc/meminfo")
_STATUS: Final = Path("/proc/self/status")


def check(target: Target, load: Load) -> None:
    """Raise OSError if the system does not have what `load` on `target` needs."""
    allow_open_files(load.connections + _OTHER_FILES)
    if not target.path:
        check_ports(load.connections)
    check_memory(_COPIES * (load.text_size + load.in_flight))


def allow_open_files(count: int) -> None:
    """Raise the limit of open files to what is allowed, if `count` are more than the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count and soft != resource.RLIM_INFINITY:
        if hard < count and hard != resource.RLIM_INFINITY:
            raise OSError(
                f"this many connections need {count} open files, but only {hard} are allowed "
                "(ulimit -Hn); give a lower --connections"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_ports(connections: int) -> None:
    """Check that each connection to one address can have a local port of its own."""
    found = re.findall(r"\d+", _read(_PORTS))
    if len(found) == 2 and (ports := int(found[1]) - int(found[0]) + 1) < connections:  # noqa: PLR2004
        raise OSError(
            f"{connections:,} connections to one address need as many local ports, but the system "
            f"has {ports:,} (net.ipv4.ip_local_port_range); give a lower --connections"
        )


def check_memory(size: int) -> None:
    """Check that `size` bytes of memory are available, and allowed."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    available = [int(found) * 1024 for found in re.findall(r"MemAvailable: +(\d+)", _read(_MEMORY))]
    if soft != resource.RLIM_INFINITY:
        used = re.findall(r"VmSize:\s+(\d+)", _read(_STATUS))
        available.append(soft - sum(map(int, used)) * 1024)
    if available and size > min(available):
        raise OSError(
            f"this load takes about {size / 1e6:,.0f} MB of memory, but only "
            f"{max(0, min(available)) / 1e6:,.0f} MB are available; give a lower --connections, "
            "--depth or --size"
        )


def _read(path: Path) -> str:
    """Return the text of a file that only Linux has."""
    try:
        return path.read_text()
    except OSError:
        return ""
