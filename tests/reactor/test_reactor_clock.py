"""The clock of the reactor: nothing depends on the wall clock after the start."""

from __future__ import annotations

import sys
import time

import pytest

from reactor.running import only_uvloop
from support import DEADLINE, run

PROGRAM = """
import time

real, ahead = time.time, 0
time.time = lambda: real() + ahead  # a wall clock that this program sets, for itself only

from echoproto.reactor.reactor import install

install()
from twisted.internet import reactor


def jump():
    global ahead
    ahead = AHEAD
    started = reactor.seconds(), time.monotonic()
    reactor.callLater(0.1, print, "first", flush=True)
    reactor.callLater(0.4, end, *started)
    delayed.delay(0.1)
    renewed.reset(0.2)


def end(seconds, monotonic):
    assert abs((reactor.seconds() - seconds) - (time.monotonic() - monotonic)) < 0.01
    assert time.monotonic() - monotonic >= 0.4
    late.cancel()
    reactor.stop()


late = reactor.callLater(500, print, "late")
delayed = reactor.callLater(0.2, print, "third", flush=True)
renewed = reactor.callLater(500, print, "second", flush=True)
reactor.callLater(0, jump)
reactor.run()
"""


@pytest.mark.parametrize("ahead", [600, -600])
def test_timers_do_not_follow_the_wall_clock(ahead):
    done = run(sys.executable, "-c", PROGRAM.replace("AHEAD", str(ahead)))
    assert done.stderr == b""
    assert done.stdout.split() == [b"first", b"second", b"third"]


@only_uvloop
def test_the_time_begins_at_that_of_the_wall_clock(running):
    assert abs(running.reactor.seconds() - time.time()) < DEADLINE
