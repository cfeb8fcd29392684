"""Runs the tests of programs that use LineReceiver, perhaps with LineProtocol in its place.

Arguments: `stock`, `ours` or `ours-uvloop` (on our reactor, too), a file, then names of modules or
packages of tests. Writes what became of each test to the file, as JSON; the tests' names, as they
begin, go to standard error. It works in the current folder, and nothing that it binds is to be
reached from elsewhere.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path

import pytest
from twisted.protocols import basic

from echoproto.reactor.reactor import UvloopReactor, install
from echoproto.server.protocol import LineProtocol

sys.path.append(str(Path(__file__).parents[1]))

HANG = 15
"""Seconds after which a test hangs: one that waits, and (twice that) one that never returns."""
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class HangError(BaseException):
    """A test has not returned."""


def put_ours_in_place():
    """Before anything that uses LineReceiver is imported: that looks it up only once."""
    users = [
        name
        for name, module in sys.modules.items()
        if basic.LineReceiver in vars(module).values()
        and not name.startswith(("echoproto.", "__main__"))
    ]
    assert users == ["twisted.protocols.basic"], users
    basic.LineReceiver = type("LineReceiver", (LineProtocol,), {"delimiter": b"\r\n"})


def install_ours():
    """Trial iterates after each test, for which Twisted's asyncio reactor takes 10 ms and more."""
    install()

    def iterate(self, delay=0):
        self.loop.call_later(max(delay, 1e-3), self.loop.stop)
        self.loop.run_forever()

    UvloopReactor.iterate = iterate


def bind_to_loopback():
    """Make listeners on all interfaces listen on loopback only."""
    bind = socket.socket.bind

    def bind_there(sock, address):
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            address = (LOOPBACK.get(address[0], address[0]), *address[1:])
        bind(sock, address)

    socket.socket.bind = bind_there


def watch(name):
    """A test begins."""
    print(name, file=sys.stderr, flush=True)
    signal.setitimer(signal.ITIMER_REAL, 2 * HANG, HANG)


def unwatch():
    signal.setitimer(signal.ITIMER_REAL, 0)


def end_it(*_):
    raise HangError(f"it has not returned in {2 * HANG} seconds")


def run_with_trial(names):
    from twisted.trial import util
    from twisted.trial.runner import TestLoader, TrialRunner

    from reactor.twisted_suite import Outcomes

    class Watched(Outcomes):
        def startTest(self, test):
            super().startTest(test)
            watch(test.id())

        def stopTest(self, test):
            unwatch()
            super().stopTest(test)

    util.DEFAULT_TIMEOUT_DURATION = HANG
    suite = TestLoader().loadByNames(names, recurse=True)
    runner = TrialRunner(Watched, stream=sys.stderr, workingDirectory="_trial")
    return runner.run(suite).outcomes


class Noting:
    """A plugin of pytest that is told what becomes of each test."""

    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logstart(self, nodeid):
        watch(nodeid)

    def pytest_runtest_logfinish(self):
        unwatch()

    def pytest_runtest_logreport(self, report):
        """Of its three parts."""
        if self.outcomes.get(report.nodeid, "passed") == "passed":
            why = f": {report.longreprtext[-300:]}" if report.failed else ""
            self.outcomes[report.nodeid] = report.outcome + why


def run_wormhole(names):
    """With pytest. It listens on all addresses of this machine; so here is the only one."""
    from wormhole import ipaddrs

    ipaddrs.find_addresses = lambda: ["127.0.0.1"]
    noting = Noting()
    pytest.main(["-q", "-p", "no:cacheprovider", "--pyargs", *names], plugins=[noting])
    return noting.outcomes


def main():
    which, results, *names = sys.argv[1:]
    bind_to_loopback()
    if which == "ours-uvloop":
        install_ours()
    if which != "stock":
        put_ours_in_place()
    signal.signal(signal.SIGALRM, end_it)
    run = run_wormhole if "wormhole.test" in names else run_with_trial
    Path(results).write_text(json.dumps(run(names)))


if __name__ == "__main__":
    main()
