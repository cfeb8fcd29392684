"""What tests share: the server as a process, and waits that end at an event or a deadline."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

DEADLINE = 120.0
"""Seconds after which something that a test waits for is not coming, on the busiest machine."""

BIN = Path(sys.executable).parent

PACKAGES = {
    "Xvfb": "xvfb",
    "busybox": "busybox-static",
    "haproxy": "haproxy",
    "nc.openbsd": "netcat-openbsd",
    "ncat": "ncat",
    "openssl": "openssl",
    "plink": "putty-tools",
    "putty": "putty",
    "qemu-system-sparc": "qemu-system-sparc",
    "redis-server": "redis-server",
    "ser2net": "ser2net",
    "socat": "socat",
    "telnet": "inetutils-telnet",
    "telnetd": "inetutils-telnetd",
    "tmux": "tmux",
    "tshark": "tshark",
    "xdotool": "xdotool",
    "xkbcomp": "x11-xkb-utils",
}


def program(name: str) -> str:
    """The path of a program of a Debian package; without it the test is skipped."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: apt install {PACKAGES[name]}")
    return path


class Output:
    """What a process writes, read as it comes."""

    def __init__(self, stream) -> None:
        self.text = ""
        self._ended = False
        self._changed = threading.Condition()
        # A descriptor of its own: when `stream` is closed, the next file gets the number of that.
        own = os.dup(stream.fileno())
        self._thread = threading.Thread(target=self._read, args=[own], daemon=True)
        self._thread.start()

    def _read(self, own: int) -> None:
        with open(own, "rb", buffering=0) as stream, suppress(OSError):  # how a terminal ends
            while data := stream.read(65536):
                with self._changed:
                    self.text += data.decode("utf-8", "replace")
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, pattern: str, count: int = 1) -> list[re.Match[str]]:
        """Wait until `pattern` has come `count` times."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._ended or len(self._find(pattern)) >= count, DEADLINE
            ), f"no {pattern!r} in:\n{self.text}"
            found = self._find(pattern)
        assert len(found) >= count, f"ended without {pattern!r}:\n{self.text}"
        return found

    def wait_for_end(self) -> str:
        """Wait until all is closed; everything that came."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), f"still open after:\n{self.text}"
        return self.text

    def _find(self, pattern: str) -> list[re.Match[str]]:
        return list(re.finditer(pattern, self.text, re.MULTILINE))


class Server:
    """`twistd -n echo` as a process; `ports` are those of the addresses that it listens on."""

    def __init__(self, process: subprocess.Popen[bytes], log: Output, listeners: int) -> None:
        self.process = process
        self.log = log
        found = self.log.wait_for(r"listening on (.*?)(?::(\d+))?$", listeners)
        self.ports = [int(match[2] or 0) for match in found]

    @property
    def port(self) -> int:
        return self.ports[0]

    def memory(self) -> int:
        """See `memory`."""
        return memory(self.process)

    def stop(self) -> str:
        """End it as an operator does, and return its log."""
        self.process.send_signal(signal.SIGTERM)
        # When all is shut down, twistd ends by the signal that it was sent.
        assert self.process.wait(DEADLINE) == 0
        return self.log.wait_for_end()


@contextmanager
def serve(*options: str, listen=("127.0.0.1:0",), listeners=None, reactor="uvloop"):
    """Run `twistd -n echo` with `options`; `listeners` is how many addresses `listen` means."""
    where = [word for address in listen for word in ("--listen", address)]
    with subprocess.Popen(
        [BIN / "twistd", "-n", "--pidfile=", "--reactor", reactor, "echo", *where, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        log = Output(process.stdout)
        try:
            yield Server(process, log, listeners or len(listen))
        finally:
            process.kill()
            log.wait_for_end()


class matching:  # noqa: N801
    """Equal to every text that a pattern matches."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __eq__(self, other: object) -> bool:
        return bool(re.fullmatch(self.pattern, str(other)))

    __hash__ = None

    def __repr__(self) -> str:
        return f"matching({self.pattern!r})"


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


def connect(port: int, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port), DEADLINE)


def receive_exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        more = sock.recv(min(count - len(data), 1 << 20))
        assert more, f"closed after {len(data)} of {count} bytes"
        data += more
    return bytes(data)


def receive_all(sock: socket.socket) -> bytes:
    """Everything, until the peer closes."""
    data = bytearray()
    while more := sock.recv(1 << 20):
        data += more
    return bytes(data)


def memory(process) -> int:
    """Bytes of memory of a process that are resident."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def run(*command, input: bytes = b"", **kwargs) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, input=input, capture_output=True, timeout=DEADLINE, check=False, **kwargs
    )


@contextmanager
def start(*command, **kwargs):
    """A process for the time of the block, with a pipe as its input and its output."""
    kwargs = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} | kwargs
    with subprocess.Popen(command, **kwargs) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def watched(*command, **kwargs):
    """A process for the time of the block, and what it writes."""
    with start(*command, stderr=subprocess.STDOUT, **kwargs) as process:
        log = Output(process.stdout)
        try:
            yield process, log
        finally:
            process.kill()
            log.wait_for_end()


def eventually(condition, what):
    """Poll `condition` until it holds; its value. For what gives no event to wait for."""
    deadline = monotonic() + DEADLINE
    while not (value := condition()):
        if monotonic() > deadline:
            pytest.fail(f"not in {DEADLINE:g} seconds: {what if isinstance(what, str) else what()}")
        threading.Event().wait(0.02)
    return value


def echoproto(*words, **kwargs) -> subprocess.CompletedProcess[bytes]:
    """Run the client."""
    return run(BIN / "echoproto", *words, **kwargs)


def fails(*words, data: bytes = b"hello") -> str:
    """Run `echoproto send`, which fails with status 1; the one line that it prints."""
    done = echoproto("send", *words, input=data)
    assert (done.returncode, done.stdout) == (1, b"")
    line, newline, rest = done.stderr.decode().partition("\n")
    assert (newline, rest) == ("\n", "")
    return line
