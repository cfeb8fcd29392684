"""What a load takes is compared with what the system has, before the run."""

from __future__ import annotations

import re
import resource

import pytest

from echoproto.client import limits
from echoproto.client.load import Load, Text
from echoproto.client.target import Target
from support import BIN, run


def test_more_connections_than_local_ports_are_refused(monkeypatch, tmp_path):
    ports = tmp_path / "ports"
    ports.write_text("40000\t40020\n")
    monkeypatch.setattr(limits, "_PORTS", ports)
    target = Target("localhost", 1)
    limits.check(target, Load(connections=21))
    with pytest.raises(OSError, match=r"^22 connections .* has 21 \(net\.ipv4\.ip_local_port_ra"):
        limits.check(target, Load(connections=22))
    limits.check(Target(path="/a/socket"), Load(connections=22))


def test_more_memory_than_there_is_is_refused():
    limits.check_memory(1 << 20)
    with pytest.raises(
        OSError, match=r"takes about 1,000,000,000 MB of memory, but only [\d,]+ MB"
    ):
        limits.check_memory(10**15)


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch, tmp_path):
    for name in ("_PORTS", "_MEMORY", "_STATUS"):
        monkeypatch.setattr(limits, name, tmp_path / "nosuch")
    limits.check_ports(10**9)
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        limits.check_memory(10**15)


def test_the_memory_that_may_be_used_counts():
    words = [BIN / "echoproto", "bench", "127.0.0.1:1", "-c", "50", "-s", "16777216"]
    done = run("sh", "-c", 'ulimit -v 2000000; exec "$@"', "sh", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert re.fullmatch(
        r"echoproto: this load takes about [\d,]+ MB of memory, but only [\d,]+ MB are available; "
        r"give a lower --connections, --depth or --size\n",
        done.stderr.decode(),
    )


@pytest.mark.parametrize(("depth", "size"), [(1, 1), (1, 64), (100_000, 3), (7, 100_000)])
def test_the_size_of_the_text_is_foreseen(depth, size):
    load = Load(depth=depth, size=size)
    assert len(Text(load).bytes) == load.text_size
