"""What a signal does: the status, silence, and a terminal that is left as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager

import pytest

from support import BIN, DEADLINE, Output, run, start

ECHOPROTO = BIN / "echoproto"
SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]

AT_IMPORT = """
import signal, sys
from echoproto.cli import main

left, number = int(sys.argv.pop(1)), int(sys.argv.pop(1))

class Signalling:
    def find_spec(self, *_):
        global left
        left -= 1
        if left == 0:
            signal.raise_signal(number)

sys.meta_path.insert(0, Signalling())
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("imports", [2, 20, 60, 120])
def test_a_signal_while_python_imports_is_its_status_in_silence(server, number, imports):
    target = f"127.0.0.1:{server.port}"
    done = run(sys.executable, "-c", AT_IMPORT, str(imports), str(int(number)), target)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_pipe_with_its_status(server, number):
    words = [ECHOPROTO, f"127.0.0.1:{server.port}"]
    with start(*words, stderr=subprocess.PIPE) as process:
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"
        process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number
        assert process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_that_is_ignored_at_the_start_stays_ignored(server, number):
    words = [ECHOPROTO, f"127.0.0.1:{server.port}"]
    with start(*words, preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as process:
        for data in (b"x", b"y"):
            process.stdin.write(data)
            process.stdin.flush()
            assert process.stdout.read(1) == data
            process.send_signal(number)
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


SECOND = """
import asyncio
from echoproto.cli.run import run

async def command():
    print("begun", flush=True)
    try:
        await asyncio.sleep(1000)
    finally:
        print("ending", flush=True)
        await asyncio.sleep(1000)

run(command())
"""


def test_a_second_signal_ends_it_at_once():
    with start(sys.executable, "-c", SECOND, stderr=subprocess.PIPE) as process:
        for line in (b"begun\n", b"ending\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
        assert process.stderr.read() == b""


BUSY = """
import re
from echoproto.cli.run import run

async def command():
    print("busy", flush=True)
    re.fullmatch("(a+)+b", "a" * 1000)

run(command(), fast={fast})
"""


@pytest.mark.parametrize("fast", [False, True])
def test_a_second_signal_ends_what_keeps_the_event_loop_busy(fast):
    with start(sys.executable, "-c", BUSY.format(fast=fast), stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"busy\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) in (128 + signal.SIGINT, 128 + signal.SIGTERM)
        assert process.stderr.read() == b""


@contextmanager
def shell(server):
    """The shell in a terminal: its process, its output, our end, and whether all is as before."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)

    def take_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with os.fdopen(master, "rb", buffering=0) as ours:
        output = Output(ours)
        with (
            os.fdopen(slave, "rb", buffering=0) as terminal,
            start(
                ECHOPROTO,
                f"127.0.0.1:{server.port}",
                stdin=slave,
                stdout=slave,
                stderr=slave,
                preexec_fn=take_terminal,
                env={**os.environ, "TERM": "xterm"},
            ) as process,
        ):
            output.wait_for("> ")
            yield process, output, master, lambda: termios.tcgetattr(terminal) == before
        output.wait_for_end()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("keys", ["typed", "\x1dhel"], ids=["line", "command line"])
def test_a_signal_leaves_the_terminal_as_it_was(server, number, keys):
    with shell(server) as (process, output, ours, is_as_before):
        os.write(ours, keys.encode())
        output.wait_for(keys[1:])
        assert not is_as_before()
        process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number
        output.wait_for(r"\x1b\[\?25h\x1b\[\?2004l")  # the cursor is shown, and paste not bracketed
        assert is_as_before()
