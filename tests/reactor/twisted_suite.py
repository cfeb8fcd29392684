"""Runs Twisted's own reactor tests for one reactor, and prints what became of each, as JSON.

Arguments: `epoll` or `uvloop`, then the names of modules in twisted.internet.test.
"""

from __future__ import annotations

import json
import sys

from twisted.internet import epollreactor, reactor  # noqa: F401 - trial wants one to be there
from twisted.internet.test import reactormixins
from twisted.trial.reporter import TestResult
from twisted.trial.runner import TestLoader, TrialRunner

from echoproto.reactor.reactor import UvloopReactor

HANG = 20
"""Seconds after which a test hangs."""

MARKED = {
    "ReactorFDSetTestsBuilder.test_lostFileDescriptor": (
        "epoll forgets a closed descriptor: Twisted skips it for its own epoll and asyncio reactors"
    ),
    "TCPTransportTestsBuilder.test_writeSequeceWithoutWrite": (
        "it replaces dataReceived on a connected protocol; a connection has looked that up"
    ),
}


def epoll(case):  # noqa: ARG001 - as uvloop below
    return epollreactor.EPollReactor()


def uvloop(case):
    built = UvloopReactor()
    case.addCleanup(built.loop.close)
    return built


class Outcomes(TestResult):
    """What became of each test, by the name that it has for every reactor."""

    separator = ""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def _note(self, outcome, test, why=""):
        name = test.id().removeprefix("twisted.internet.test.")
        for built in ("_epollTests", "_uvloopTests"):
            name = name.replace(built, "")
        if self.outcomes.get(name, "passed") == "passed":
            self.outcomes[name] = f"{outcome}: {why}" if why else outcome

    def addSuccess(self, test):
        super().addSuccess(test)
        self._note("passed", test)

    def addFailure(self, test, fail):
        super().addFailure(test, fail)
        self._note("failed", test, fail.getErrorMessage())

    def addError(self, test, error):
        super().addError(test, error)
        why = getattr(error, "getErrorMessage", lambda: str(error))()
        self._note("failed", test, why)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note("skipped", test, reason)

    def done(self):
        pass


def mark(suite):
    for case in suite:
        if hasattr(case, "__iter__"):
            mark(case)
            continue
        builder = type(case).__name__.removesuffix("_uvloopTests")
        reason = MARKED.get(f"{builder}.{case._testMethodName}")
        if reason:
            case.skip = reason


def main():
    which, *modules = sys.argv[1:]
    reactormixins.DEFAULT_TIMEOUT_DURATION = HANG
    reactormixins.ReactorBuilder._reactors = [f"{__name__}.{which}"]
    suite = TestLoader().loadByNames([f"twisted.internet.test.{module}" for module in modules])
    if which == "uvloop":
        mark(suite)
    runner = TrialRunner(Outcomes, stream=sys.stderr, workingDirectory="_trial")
    print(json.dumps(runner.run(suite).outcomes))


if __name__ == "__main__":
    main()
