"""Twisted's own tests of a reactor: ours fails none that Twisted's epoll reactor passes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).parent / "twisted_suite.py"
TIMEOUT = 300
"""Seconds. A single test that hangs is ended, and fails, long before."""


@pytest.mark.long
@pytest.mark.parametrize(
    "module",
    [
        *["test_core", "test_fdset", "test_process", "test_tcp", "test_threads"],
        *["test_time", "test_tls", "test_udp", "test_unix"],
    ],
)
def test_it_passes_what_epoll_passes(module, tmp_path):
    stock = outcomes("epoll", module, tmp_path)
    ours = outcomes("uvloop", module, tmp_path)
    assert ours.keys() == stock.keys()
    assert "passed" in ours.values()
    worse = {
        name: outcome
        for name, outcome in ours.items()
        if outcome.startswith("failed") and not stock[name].startswith("failed")
    }
    assert not worse


def outcomes(reactor, module, folder):
    done = subprocess.run(
        [sys.executable, SUITE, reactor, module],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
