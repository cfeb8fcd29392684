"""What a hostile peer costs: CPU time for each MiB that it sends, and how long others wait for it.

- CPU: one chunk of CHUNK bytes is received at once, in memory. Telnet is compared with
  twisted.conch.telnet (with a LineReceiver on it in mode line), and lines with a stock LineReceiver
  that does the same. Each round runs both; the medians of ROUNDS are shown.
- Hold: one client sends the same bytes to a server (uvloop reactor) for SECONDS, without a stop,
  while another client sends a byte and waits for its echo, again and again. The longest that it
  waited is the longest turn of the reactor, or of the system: see the row "nobody else". It waits
  no longer than PATIENCE.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, process_time
from typing import TYPE_CHECKING, Any

if __name__ == "__main__" and sys.argv[1:2] == ["serve"]:
    from echoproto.reactor.reactor import install

    install()

from twisted.conch.telnet import ITelnetProtocol, TelnetProtocol, TelnetTransport
from twisted.internet.testing import StringTransport
from twisted.logger import Logger, globalLogBeginner
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from echoproto import EchoProtocol, LineFactory, LineProtocol, Registry, ServerConnection
from echoproto.wire.layer import Reply
from echoproto.wire.tls import TLS

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
CHUNK = 64 * 1024
SECONDS = 0.5
PATIENCE = 2.0
"""Seconds after which the other client waits no longer."""

HELLO = b"\xff\xfb\x01"
LINE = b"x" * 62 + b"\r\n"


class Toggles:
    """Goes to raw mode and back at each line."""

    def lineReceived(self, line):  # noqa: ARG002
        self.setRawMode()

    def rawDataReceived(self, data):
        self.setLineMode(data)


class Delimits:
    """Sets another delimiter at each line."""

    delimiter = b"\r\n"

    def lineReceived(self, line):  # noqa: ARG002
        self.delimiter = b"\n" if len(self.delimiter) > 1 else b"\r\n"


class Pauses:
    """Pauses at each line, for one turn of the reactor."""

    def lineReceived(self, line):  # noqa: ARG002
        self.pauseProducing()
        if not isinstance(self.transport, InMemory) and hasattr(self.transport, "reactor"):
            self.transport.reactor.callLater(0, self.resumeProducing)


class Echoes(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


class Logs(Echoes):
    delimiter = b"\n"
    log = Logger("stock")

    def lineReceived(self, line):
        self.log.info("{line!r}", line=line)
        self.sendLine(line)


class EchoesLF(Echoes):
    delimiter = b"\n"


class ConchEcho(TelnetProtocol):
    def dataReceived(self, data):
        self.transport.write(data)


@implementer(ITelnetProtocol)
class ConchLines(Echoes):
    """On conch's telnet, which delivers CR LF as LF."""

    delimiter = b"\n"

    def unhandledCommand(self, command, argument): ...
    def enableLocal(self, option): ...
    def enableRemote(self, option): ...


class Conch(TelnetTransport):
    """Agrees to what our server agrees to."""

    def enableRemote(self, option):
        return option == b"\x1f"

    def disableRemote(self, option): ...

    def enableLocal(self, option):
        return option == b"\x06"


def both(mixin: type, base: type) -> Any:
    return type(mixin.__name__, (mixin, base), {})


@dataclass
class Kind:
    """A kind of input: `piece` is sent again and again, after `first`."""

    name: str
    piece: bytes
    make: Callable[[], Any]
    stock: Callable[[], Any] | None
    first: bytes = b""
    tls: bool = False


def telnet(name, piece, mode="stream"):
    conch_protocol = {"stream": ConchEcho, "line": ConchLines}[mode]
    title = f"telnet: {name}" + ", mode line" * (mode == "line")
    return Kind(title, piece, lambda: EchoProtocol(mode), lambda: Conch(conch_protocol), HELLO)


KINDS = [
    Kind("nobody else", b"", EchoProtocol, None),
    telnet("lines", LINE),
    telnet("a 255 in each line", b"x" * 60 + b"\xff\xff\r\n"),
    telnet("IAC IAC", b"\xff\xff"),
    telnet("NOP", b"\xff\xf1"),
    telnet("AYT", b"\xff\xf6"),
    telnet("IP", b"\xff\xf4"),
    telnet("EL", b"\xff\xf8"),
    telnet("x and NOP", b"x\xff\xf1"),
    telnet("x and EC", b"x\xff\xf7"),
    telnet("x and EL", b"x\xff\xf8"),
    telnet("x and NOP", b"x\xff\xf1", "line"),
    telnet("x and EC", b"x\xff\xf7", "line"),
    telnet("DO, refused", b"\xff\xfd\x63"),
    telnet("WILL, refused", b"\xff\xfb\x63"),
    telnet("WONT", b"\xff\xfc\x63"),
    telnet("WILL and WONT, agreed", b"\xff\xfb\x1f\xff\xfc\x1f"),
    telnet("DO TIMING-MARK", b"\xff\xfd\x06"),
    telnet("NAWS", b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0"),
    telnet("an empty subnegotiation", b"\xff\xfa\x63\xff\xf0"),
    Kind("mode line: lines", LINE, lambda: EchoProtocol("line"), Echoes),
    Kind("mode line: bare LF", b"\n", lambda: EchoProtocol("line"), EchoesLF),
    Kind("--log-lines: bare LF", b"\n", lambda: EchoProtocol(log_lines=True), Logs),
    Kind("raw and line mode", LINE, both(Toggles, LineProtocol), both(Toggles, LineReceiver)),
    Kind("a new delimiter", LINE, both(Delimits, LineProtocol), both(Delimits, LineReceiver)),
    Kind("a pause at each line", LINE, both(Pauses, LineProtocol), both(Pauses, LineReceiver)),
    Kind("TLS records of 1 byte", b"x", EchoProtocol, None, tls=True),
]


# CPU


class InMemory(StringTransport):
    """A transport that keeps nothing of what is written."""

    def __init__(self):
        super().__init__()
        self.write = deque(maxlen=1).append

    def pauseProducing(self): ...
    def resumeProducing(self): ...


class Client:
    """A TLS client in memory. `send` returns the bytes for the wire, a record for each byte."""

    def __init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._tls = TLS(context, server_side=False)

    def receive(self, wire: bytes) -> bytes:
        return b"".join(each.data for each in self._tls.receive(wire) if isinstance(each, Reply))

    def send(self, data: bytes) -> bytes:
        return b"".join(self._tls.send(bytes([byte])) for byte in data)


def cost(kind: Kind, make: Callable[[], Any], chunk: bytes, tls: ssl.SSLContext) -> float:
    """Seconds of CPU time that the protocol takes for each MiB that it receives."""
    protocol, transport = make(), InMemory()
    if isinstance(protocol, LineProtocol):
        factory = LineFactory(registry=Registry(), tls=tls if kind.tls else None)
        protocol, line_protocol = ServerConnection(protocol, factory), protocol
    else:
        line_protocol = protocol
    sent: list[bytes] = []
    if kind.tls:
        transport.write = sent.append
    protocol.makeConnection(transport)
    protocol.dataReceived(kind.first)
    if kind.tls:
        client, wire = Client(), b""
        for _ in range(3):
            protocol.dataReceived(client.receive(wire))
            wire, sent[:] = b"".join(sent), []
        chunk = client.send(chunk)
    start = process_time()
    protocol.dataReceived(chunk)
    while getattr(line_protocol, "paused", False):
        line_protocol.resumeProducing()
    return (process_time() - start) * (1 << 20) / len(chunk)


def costs(kind: Kind, tls: ssl.SSLContext) -> tuple[float, float | None]:
    """Return the median cost, and the median of its ratio to stock's."""
    size = CHUNK // 16 if kind.tls else CHUNK
    chunk = kind.piece * (size // len(kind.piece))
    ours, ratios = [], []
    for _ in range(ROUNDS):
        ours.append(cost(kind, kind.make, chunk, tls))
        if kind.stock is not None:
            ratios.append(ours[-1] / cost(kind, kind.stock, chunk, tls))
    return median(ours), median(ratios) if ratios else None


# Holds


def serve(name: str, certificate: str) -> None:
    """Serve the kind of that name, and an echo for another client. Print the two ports."""
    from twisted.internet import reactor

    kind = by_name(name)
    tls = server_context(certificate) if kind.tls else None
    factories = LineFactory(kind.make, Registry(), tls), LineFactory(EchoProtocol, Registry())
    ports = [reactor.listenTCP(0, each, interface="127.0.0.1") for each in factories]
    globalLogBeginner.beginLoggingTo([lambda _: None], redirectStandardIO=False)
    print(json.dumps([port.getHost().port for port in ports]), flush=True)
    reactor.run()


def by_name(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def server_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def attack(name: str, port: str) -> None:
    """Send to `port` without a stop, and read what comes back."""
    kind = by_name(name)
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        if kind.tls:
            client = Client()
            sock.sendall(client.receive(b""))
            sock.sendall(client.receive(sock.recv(1 << 16)))
        chunk = kind.first + kind.piece * (CHUNK // len(kind.piece))
        sock.setblocking(False)
        print("sending", flush=True)
        unsent = chunk
        while True:
            readable, writable, _ = select([sock], [sock], [])
            if readable and not sock.recv(1 << 20):
                return
            if writable:
                with suppress(BlockingIOError):
                    unsent = unsent[sock.send(unsent) :]
                if not unsent:
                    unsent = client.send(kind.piece * 2000) if kind.tls else chunk


def longest_wait(sock: socket.socket) -> float:
    """Send a byte and wait for its echo, for SECONDS. Return the longest wait in seconds."""
    sock.settimeout(PATIENCE)
    longest, end = 0.0, monotonic() + SECONDS
    while (start := monotonic()) < end:
        sock.sendall(b".")
        try:
            sock.recv(1)
        except TimeoutError:
            return PATIENCE
        longest = max(longest, monotonic() - start)
    return longest


@contextmanager
def started(*words: str):
    """Start this program in another role; give the first line that it prints."""
    with subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE) as process:
        try:
            yield process.stdout.readline()
        finally:
            process.kill()


def hold(kind: Kind, certificate: str) -> float:
    """Return how long another client waits, in seconds, while one sends input of this kind."""
    with started("serve", kind.name, certificate) as line:
        port, quiet_port = json.loads(line)
        with socket.create_connection(("127.0.0.1", quiet_port)) as sock:
            if not kind.piece:
                return longest_wait(sock)
            with started("attack", kind.name, str(port)):
                return longest_wait(sock)


def main() -> None:
    with TemporaryDirectory() as folder:
        certificate = str(Path(folder) / "certificate.pem")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=localhost", "-keyout", certificate, "-out", certificate + ".crt"),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        with Path(certificate).open("ab") as file:
            file.write(Path(certificate + ".crt").read_bytes())
        tls = server_context(certificate)
        print(f"{'':36} {'CPU, s/MiB':>10} {'to stock':>9} {'hold, ms':>9}")
        for kind in KINDS:
            seconds, part = costs(kind, tls) if kind.piece else (0.0, None)
            ratio = f"{part:9.2f}" if part is not None else " " * 9
            wait = hold(kind, certificate)
            held = f"{wait * 1000:9.1f}" if wait < PATIENCE else f"> {PATIENCE * 1000:7.0f}"
            print(f"{kind.name:36} {seconds:10.3f} {ratio} {held}", flush=True)


if __name__ == "__main__":
    {"serve": serve, "attack": attack}.get(*sys.argv[1:2] or ["main"], main)(*sys.argv[2:])
