"""How a command ends: its result, or an exit status and a line that says why."""

from __future__ import annotations

import signal
import sys

import pytest

from support import DEADLINE, run, start

PROGRAM = """
import asyncio, os, sys
from echoproto.cli.run import run, run_program
from echoproto.errors import NetworkError

async def command():
    {}

run_program(lambda: print("returned", run(command(), fast={})))
"""


def ended(body, *, fast=False):
    """Exit status, output and errors of a command of that body."""
    done = run(sys.executable, "-c", PROGRAM.format(body, fast))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("body", "status", "printed", "said"),
    [
        ("return 5", 0, "returned 5\n", ""),
        ("raise NetworkError('host:1: gone')", 1, "", "echoproto: host:1: gone\n"),
        ("raise OSError('no file')", 2, "", "echoproto: no file\n"),
        ("raise OSError(5, 'why', 'file')", 2, "", "echoproto: file: why\n"),
        ("raise OSError(5, 'why', 0)", 2, "", "echoproto: standard input: why\n"),
        ("raise BrokenPipeError", 1, "", ""),
        ("raise SystemExit(7)", 7, "", ""),
        ("raise KeyboardInterrupt", 130, "", ""),
    ],
)
def test_each_end_has_its_status_and_its_line(body, status, printed, said):
    assert ended(body) == (status, printed, said)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_and_is_the_status(number, status):
    body = (
        "print('begun', flush=True)\n    try: await asyncio.sleep(1000)\n    finally: print('end')"
    )
    with start(sys.executable, "-c", PROGRAM.format(body, "False")) as process:
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert process.wait(DEADLINE) == status
        assert process.stdout.read() == b"end\n"


@pytest.mark.parametrize(("fast", "module"), [(True, "uvloop"), (False, "asyncio.unix_events")])
def test_what_is_to_be_fast_runs_on_uvloop(fast, module):
    if fast:
        pytest.importorskip("uvloop")
    status, printed, _ = ended("return type(asyncio.get_running_loop()).__module__", fast=fast)
    assert (status, printed) == (0, f"returned {module}\n")


def test_to_fail_is_a_line_and_a_status():
    done = run(sys.executable, "-c", "from echoproto.cli.run import fail; fail('why', 2)")
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"echoproto: why\n")
