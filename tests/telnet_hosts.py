"""Telnet hosts of other projects, each a real program on a free port of loopback.

A host is a context manager that takes a folder of its own, and gives its port. The folder is the
home of whoever logs in. Those of `UNIX` run `interop/login.sh`: a login, and then bash.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from peers import peer
from support import BIN, eventually, program, run, start
from terminal import shell_on

HERE = Path(__file__).parent / "interop"
NAME, PASSWORD = "alice", "open sesame"


def inetutils_telnetd(folder):
    """GNU's telnetd, which is Debian's."""
    return telnetd(login(folder))


@contextmanager
def telnetd(exec_login):
    """GNU's telnetd for one connection; it runs `exec_login` in place of login."""
    command = [program("telnetd"), "--no-hostinfo", f"--exec-login={exec_login}"]

    def serve(sock):
        sock.setblocking(True)
        subprocess.run(command, stdin=sock, stdout=sock, stderr=sock, check=False)

    with peer(serve) as (_, port):
        yield port


@contextmanager
def busybox_telnetd(folder):
    path = program("busybox")
    if b"telnetd" not in run(path, "--list").stdout.split():
        pytest.skip("this busybox has no telnetd: apt install busybox-static")
    words = ["-F", "-b", "127.0.0.1:0", "-f", os.devnull, "-l", login(folder)]
    with listening(folder, path, "telnetd", *words) as port:
        yield port


@contextmanager
def ser2net(folder):
    """A serial line with a login on it, again and again. It has no window size."""
    settings = folder / "ser2net.yaml"
    settings.write_text(
        "connection: &host\n"
        "  accepter: telnet(rfc2217),tcp,127.0.0.1,0\n"
        f"  connector: 'pty,sh -c \"while {login(folder)}; do true; done\"'\n"
    )
    with listening(folder, program("ser2net"), "-d", "-n", "-c", settings) as port:
        yield port


@contextmanager
def telnetlib3_server(folder):
    words = ["--pty-exec", login(folder), "127.0.0.1", 0]
    with listening(folder, BIN / "telnetlib3-server", *words) as port:
        yield port


UNIX = [inetutils_telnetd, busybox_telnetd, ser2net, telnetlib3_server]


@contextmanager
def manhole(folder):
    """Twisted's: a Python interpreter that edits the line itself."""
    (folder / "passwd").write_text(f"{NAME}:{PASSWORD}\n")
    words = ["--telnetPort", "tcp:0:interface=127.0.0.1", "--passwd", folder / "passwd"]
    with listening(folder, BIN / "twistd", "-n", "--pidfile=", "manhole", *words) as port:
        yield port


@contextmanager
def qemu_monitor(folder):
    """A console that never runs a program of the host."""
    where = "telnet:127.0.0.1:0,server,nowait"
    words = ["-display", "none", "-machine", "none", "-nodefaults", "-monitor", where]
    with listening(folder, program("qemu-system-sparc"), *words) as port:
        yield port


@contextmanager
def prompt_toolkit_server(folder):
    # TERM is the server's own: with "dumb" prompt_toolkit would echo a password.
    with listening(folder, sys.executable, HERE / "login_prompt_toolkit.py", TERM="xterm") as port:
        yield port


@contextmanager
def terminal_on(host, folder):
    """Our shell on a host, before anything is typed. `kept` has what it keeps for its user."""
    with (
        host(folder) as port,
        shell_on(f"127.0.0.1:{port}", folder / "state") as terminal,
    ):
        yield terminal


def kept(folder):
    """All that the shell has written for its user."""
    files = (folder / "state").rglob("*")
    return "".join(file.read_text() for file in files if file.is_file())


@contextmanager
def listening(folder, *command, **variables):
    """Run `command`; the port that it listens on."""
    with start(
        *map(str, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=os.environ | variables,
    ) as process:
        yield eventually(lambda: port_of(process), f"{command[0]} listens")


def login(folder):
    """The program that such a host runs; see its first lines."""
    return shutil.copy(HERE / "login.sh", folder)


def port_of(process):
    """The port on which a process listens, or None. Linux tells; the programs do not."""
    assert process.poll() is None, f"ended with status {process.returncode}"
    sockets = set()
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            sockets |= set(re.findall(r"socket:\[(\d+)\]", str(entry.readlink())))
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = row.split()[:10]
        if state == "0A" and inode in sockets:
            return int(local.partition(":")[2], 16)
    return None
