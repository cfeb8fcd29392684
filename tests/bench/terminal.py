"""What the shell costs in a terminal: its start, keys in a flood, and memory.

The start is CPU time until the prompt is drawn, beside that of `python3 -c 'import prompt_toolkit'`
in the same run. The time of a key is from when it is typed until the terminal shows it, while a
server sends.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

from flooded_shell import flood, read, shell_in_pty

ROUNDS = 15
FLOOD = 100 << 20
SLOW, SLOW_FOR = 50_000, 20.0
EACH = 0.2
"""Seconds from one key to the next."""

PROMPT = re.compile(r"\?2004h.*\?25h", re.DOTALL)
"""What the terminal is told when the prompt is drawn."""


def until_the_prompt(target, state):
    """Seconds of CPU that the shell takes until its prompt is drawn."""
    with shell_in_pty(target, state) as (process, master):
        text = ""
        while not PROMPT.search(text):
            text += read(master)
        taken = Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]
    return int(taken) / 1e9


def importing():
    """Seconds of CPU that the import takes, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", "import prompt_toolkit"])
    _, _, taken = os.wait4(process.pid, 0)
    return taken.ru_utime + taken.ru_stime


def start_up(state):
    """The start, each time beside the import."""
    with socket.create_server(("127.0.0.1", 0), backlog=ROUNDS) as listener:
        target = "{}:{}".format(*listener.getsockname())
        until_the_prompt(target, state)  # compiles what is not compiled yet
        imports, shells = [], []
        for _ in range(ROUNDS):
            imports.append(importing())
            shells.append(until_the_prompt(target, state))
    ratio = median(shells) / median(imports)
    print(f"  to the prompt                {median(shells):8.3f} s")
    print(f"  import prompt_toolkit        {median(imports):8.3f} s, ratio {ratio:.2f}")


def keys(what, state, size, speed, seconds):
    """Type while a flood is shown, for `seconds` or until its end."""
    delays = []
    typed, typed_at, shown, text = "", 0.0, 0, ""
    with flood(size) as target, shell_in_pty(target, state) as (process, master):
        began = monotonic()
        letters = "QWERTYUIOPASDFGHJKLZCVBNM"
        next_at = began + 2.0
        while monotonic() - began < seconds and shown < size:
            piece = read(master, speed)
            shown += len(piece)
            text = text[-2000:] + piece
            now = monotonic()
            if typed and typed in text:
                delays.append(now - typed_at)
                typed, text, next_at = "", "", now + EACH
            elif not typed and now >= next_at:
                typed, typed_at = letters[len(delays) % len(letters)], now
                # Before each round, the line is cleared: Ctrl-U.
                os.write(master, ("\x15" * (typed == "Q") + typed).encode())
                text = ""
        peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    print(
        f"  {what:28} {len(delays)} keys, p50 {median(delays) * 1000:.0f} ms, "
        f"max {max(delays) * 1000:.0f} ms; {shown / 1e6:.0f} MB shown, "
        f"{int(peak[1]) / 1024:.0f} MiB at most"
    )


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        print("The shell in a terminal, CPU seconds:")
        start_up(folder)
        print("Keys in a flood:")
        keys("a fast terminal, 100 MiB", folder, FLOOD, None, 600.0)
        keys("a slow terminal, 50 kB/s", folder, float("inf"), SLOW, SLOW_FOR)
