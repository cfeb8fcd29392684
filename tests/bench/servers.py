"""The servers that are compared: what each is, and how it is built, started and ended.

In a command, `{port}` stands for a free port; a server whose command has none takes port 0 and says
which port it got. `{folder}` is where what was built is, `{cert}` and `{key}` are files for TLS.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from bench.measure import members

BIN = Path(sys.executable).parent
SOURCES = Path(__file__).parent / "peers"
STARTING = 20.0
"""Seconds that a server has to listen."""

PACKAGES = {
    "cc": "gcc",
    "go": "golang-go",
    "ncat": "ncat",
    "socat": "socat",
    "xinetd": "xinetd",
}


class CannotError(Exception):
    """A server that can not be measured; the message says why."""


@dataclass(frozen=True)
class Peer:
    name: str
    label: str
    command: tuple[str, ...]
    tls: tuple[str, ...] | None = None
    """The command for TLS, if it can."""
    program: str | None = None
    """What must be installed to build or to run it."""
    forks: bool = False
    """It runs a process for each connection."""


def ours(name, label, *reactor):
    start = (str(BIN / "twistd"), "-n", "--pidfile=", *reactor, "echo", "--listen")
    ssl = "ssl:0:interface=127.0.0.1:backlog=1024:privateKey={key}:certKey={cert}"
    return Peer(name, label, (*start, "127.0.0.1:0"), (*start, ssl))


def python(name, label, file, *options):
    start = (sys.executable, str(SOURCES / file), *options)
    return Peer(name, label, start, (*start, "--tls", "{cert}", "{key}"))


SOCAT = "{port},bind=127.0.0.1,fork,backlog=1024,nodelay"
NCAT = ("ncat", "-k", "-l", "-m", "2000", "--exec", "/bin/cat", "127.0.0.1", "{port}")

PEERS = {
    peer.name: peer
    for peer in [
        # First those that targets compare, so that they are measured close to each other.
        Peer("c", "C, epoll", ("{folder}/echo_c",), program="cc"),
        ours("ours-uvloop", "echoproto, uvloop reactor", "--reactor", "uvloop"),
        python("stock", "Twisted LineReceiver", "twisted_linereceiver.py"),
        python("protocol-uvloop", "asyncio Protocol, uvloop", "asyncio_protocol.py", "--uvloop"),
        Peer(
            "go",
            "Go",
            ("{folder}/echo_go",),
            ("{folder}/echo_go", "{cert}", "{key}"),
            program="go",
        ),
        ours("ours-epoll", "echoproto, epoll reactor", "--reactor", "epoll"),
        python("wire", "Twisted wire.Echo", "twisted_wire.py"),
        python("protocol", "asyncio Protocol", "asyncio_protocol.py"),
        python("streams-uvloop", "asyncio streams, uvloop", "asyncio_streams.py", "--uvloop"),
        python("streams", "asyncio streams", "asyncio_streams.py"),
        python("gevent", "gevent", "gevent_server.py"),
        Peer("threads", "socketserver, threads", (sys.executable, str(SOURCES / "threads.py"))),
        Peer(
            "socat",
            "socat, fork",
            ("socat", f"TCP-LISTEN:{SOCAT}", "PIPE"),
            ("socat", f"OPENSSL-LISTEN:{SOCAT},cert={{cert}},key={{key}},verify=0", "PIPE"),
            program="socat",
            forks=True,
        ),
        Peer(
            "ncat",
            "ncat --exec /bin/cat",
            NCAT,
            (*NCAT, "--ssl", "--ssl-cert", "{cert}", "--ssl-key", "{key}"),
            program="ncat",
            forks=True,
        ),
        Peer(
            "xinetd",
            "xinetd, its own echo",
            ("xinetd", "-dontfork", "-f", "{folder}/xinetd.{port}"),
            program="xinetd",
            forks=True,
        ),
    ]
}

CERTIFICATE = (
    *("openssl", "req", "-x509", "-nodes", "-subj", "/CN=localhost"),
    *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
)
XINETD = """\
defaults
{{
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 1000000 1
}}
service echo
{{
    type = INTERNAL UNLISTED
    socket_type = stream
    protocol = tcp
    wait = no
    user = {user}
    bind = 127.0.0.1
    port = {port}
}}
"""


def missing(peer):
    """Why it can not be run here, or None."""
    if peer.program is None or shutil.which(peer.program) is not None:
        return None
    return f"{peer.program} is not installed: apt install {PACKAGES[peer.program]}"


def build(folder, peers):
    """Compile what is to be compiled, and make a certificate."""
    commands = [
        ("c", ["cc", "-O2", "-o", folder / "echo_c", SOURCES / "echo_c.c"]),
        ("c", ["cc", "-O2", "-o", folder / "client_c", SOURCES / "client_c.c"]),
        ("go", ["go", "build", "-o", folder / "echo_go", SOURCES / "echo.go"]),
    ]
    for name, command in commands:
        if name in peers and shutil.which(command[0]):
            subprocess.run(command, check=True)
    if shutil.which("openssl"):
        files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
        subprocess.run([*CERTIFICATE, *files], check=True, stderr=subprocess.DEVNULL)


class Server:
    """A running server."""

    def __init__(self, process, log):
        self.process = process
        self.log = log
        self.pid = process.pid
        self.port = 0

    def wait_until_ready(self, port):
        """Until it has said its port, or `port` takes connections."""
        deadline = monotonic() + STARTING
        while monotonic() < deadline and self.process.poll() is None:
            if port:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    self.port = port
                    return
            elif found := re.search(r"listening on (?:\S*:)?(\d+)$", self.text(), re.MULTILINE):
                self.port = int(found[1])
                return
            sleep(0.02)
        said = self.text().split("\n")
        raise CannotError(f"it does not start: {said[-1] or 'no word of why'}")

    def text(self):
        return self.log.read_text().rstrip()

    def end(self):
        for stat in members(self.pid):
            with suppress(ProcessLookupError):
                os.kill(stat.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(peer, folder, *, tls=False):
    """Run `peer` for the time of the block."""
    command = peer.tls if tls else peer.command
    if command is None:
        raise CannotError("has no TLS of its own")
    port = free_port() if any("{port}" in word for word in command) else 0
    if peer.name == "xinetd":
        (folder / f"xinetd.{port}").write_text(XINETD.format(user=os.getuid(), port=port))
    files = {"folder": folder, "cert": folder / "cert.pem", "key": folder / "key.pem"}
    log = folder / f"{peer.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [word.format(port=port, **files) for word in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, log)
    try:
        server.wait_until_ready(port)
        yield server
    finally:
        server.end()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
