"""What a server's output costs the shell: CPU time for each MiB, ordinary and hostile.

Each is one chunk of 64 KiB, as it is received at once. Medians of ROUNDS runs.
"""

from __future__ import annotations

from statistics import median
from time import process_time

from echoproto.shell.lines import MAX_TERMINAL_LINE, PlainLines, TerminalLines

ROUNDS = 5
CHUNK = 64 * 1024

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
    print("CPU seconds per MiB, shell, plain:")
    show("lines", lambda chunk: lines_of(chunk, PlainLines), TO_THE_SHELL["lines"])
    print("telnet:")
    for what, piece in TO_THE_SHELL.items():
        show(what, lambda chunk: lines_of(chunk, TerminalLines), piece)
