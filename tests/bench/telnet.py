"""What telnet costs: CPU time for each MiB that a peer sends, ordinary and hostile.

Each is one chunk of 64 KiB, as it is received at once: so long nobody else is served. Medians of
ROUNDS runs.
"""

from __future__ import annotations

from statistics import median
from time import process_time

from twisted.internet.testing import StringTransport

from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.shell.lines import MAX_TERMINAL_LINE, PlainLines, TerminalLines

ROUNDS = 5
CHUNK = 64 * 1024
HELLO = b"\xff\xfb\x01"

TO_THE_SERVER = {
    "lines": b"x" * 62 + b"\r\n",
    "a 255 in each line": b"x" * 60 + b"\xff\xff\r\n",
    "NOP": b"\xff\xf1",
    "DO of an option": b"\xff\xfd\x63",
    "AYT": b"\xff\xf6",
    "x and EC": b"x\xff\xf7",
    "x and NOP": b"x\xff\xf1",
    "a subnegotiation": b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0",
}
TO_THE_SHELL = {
    "lines": b"x" * 62 + b"\r\n",
    "short lines": b"hello\r\n",
    "wide characters": "日本語\n".encode(),
    "colours": b"\x1b[1mred\x1b[0m\n",
    "ESC[1K in a long line": b"\x1b[1K",
    "CR ESC[P in a long line": b"\r\x1b[P",
    "a number without end": b"\x1b[" + b"0" * CHUNK,
    "long numbers": b"\x1b[" + b"0" * 1000,
    "CR without end": b"\r",
    "accents without end": "\u0301".encode(),
}


def echo_of(chunk, *, first=HELLO, mode="stream"):
    """Seconds of CPU that the server takes for `chunk`."""
    connection = ServerConnection(EchoProtocol(mode))
    connection.makeConnection(StringTransport())
    connection.dataReceived(first)
    start = process_time()
    connection.dataReceived(chunk)
    return process_time() - start


def lines_of(chunk, kind):
    """Seconds of CPU that the shell takes for `chunk`, in a line that is long."""
    lines = kind()
    lines.feed(b"x" * (MAX_TERMINAL_LINE - 1))
    start = process_time()
    lines.feed(chunk)
    return process_time() - start


def show(what, cost, piece):
    chunk = (piece * CHUNK)[:CHUNK]
    per_mib = median(cost(chunk) for _ in range(ROUNDS)) * (1 << 20) / CHUNK
    print(f"  {what:28} {per_mib:8.3f} s")


if __name__ == "__main__":
    print("CPU seconds per MiB, echo server, plain:")
    show("lines", lambda chunk: echo_of(chunk, first=b""), TO_THE_SERVER["lines"])
    for mode in ("stream", "line"):
        print(f"telnet, mode {mode}:")
        for what, piece in TO_THE_SERVER.items():
            show(what, lambda chunk, mode=mode: echo_of(chunk, mode=mode), piece)
    print("CPU seconds per MiB, shell, plain:")
    show("lines", lambda chunk: lines_of(chunk, PlainLines), TO_THE_SHELL["lines"])
    print("telnet:")
    for what, piece in TO_THE_SHELL.items():
        show(what, lambda chunk: lines_of(chunk, TerminalLines), piece)
