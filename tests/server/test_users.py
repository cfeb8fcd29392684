"""Programs that use LineReceiver pass their own tests with LineProtocol in its place.

Those of other projects than Twisted take minutes, and are run if the environment variable ALL_USERS
is set: `make users` does so, in an environment of its own, since pytest-twisted loads itself into
every run of pytest. That is:

    python3 -m venv USERS
    USERS/bin/pip install -e '.[dev]' foolscap magic-wormhole magic-wormhole-mailbox-server \
        magic-wormhole-transit-relay pytest-twisted treq
    ALL_USERS=1 USERS/bin/python -m pytest tests/server/test_users.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SUITE = Path(__file__).parent / "users_suite.py"
TIMEOUT = 600
"""Seconds. A single test that hangs is ended, and fails, long before."""

SHOWN = 50
"""Failures that are told."""

TWISTED = {
    "web": ["twisted.web"],
    "mail": ["twisted.mail"],
    "words": ["twisted.words"],
    "others": [
        *["twisted.test.test_finger", "twisted.test.test_ftp", "twisted.test.test_loopback"],
        *["twisted.test.test_memcache", "twisted.test.test_postfix", "twisted.test.test_sip"],
        *["twisted.test.test_ssl", "twisted.runner.test.test_procmon", "twisted.positioning"],
        "twisted.conch.test.test_telnet",
    ],
}
OTHERS = [
    *["wormhole_transit_relay.test", "wormhole_mailbox_server.test", "wormhole.test"],
    "foolscap.test",
]

EXCUSED = {
    "foolscap.test.test_reconnector.Reconnector.test_stop_trying": (
        "it looks after two seconds, and fails if a random delay has just ended"
    ),
}
"""Tests that need not pass with LineProtocol, and why."""


@pytest.mark.long
@pytest.mark.parametrize("names", TWISTED.values(), ids=TWISTED)
def test_twisted_passes_its_own_tests_with_ours(names, tmp_path):
    compare(names, tmp_path)


if "ALL_USERS" in os.environ:

    @pytest.mark.timeout(3 * TIMEOUT)
    @pytest.mark.parametrize("name", OTHERS)
    def test_another_project_passes_its_own_tests_with_ours(name, tmp_path):
        # pytest-twisted, which wormhole's tests need, wants Twisted's own reactor.
        variants = ("ours",) if name == "wormhole.test" else ("ours", "ours-uvloop")
        compare([name], tmp_path, variants, at_a_time=1)  # some of their ports are fixed


def compare(names, folder, variants=("ours", "ours-uvloop"), at_a_time=3):
    """What passes on Twisted's LineReceiver passes with ours, on both reactors."""
    with ThreadPoolExecutor(at_a_time) as pool:
        stock, *with_ours = pool.map(
            lambda which: outcomes(which, names, folder), ["stock", *variants]
        )
    passing = [test for test, outcome in stock.items() if outcome == "passed"]
    assert passing
    worse = [
        f"{which}: {test}: {ours.get(test, 'not run')}"
        for which, ours in zip(variants, with_ours, strict=True)
        for test in passing
        if ours.get(test) != "passed" and test not in EXCUSED
    ]
    assert not worse, "\n".join([f"{len(worse)} of {len(passing)}:", *worse[:SHOWN]])


def outcomes(which, names, folder):
    own = folder / which
    own.mkdir()
    results = own / "results.json"
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, SUITE, which, results, *names],
        cwd=own,
        env={**os.environ, "HOME": str(own), "TMPDIR": str(own), "PATH": programs},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(results.read_text())
