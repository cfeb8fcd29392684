"""Our shell in a terminal that shows little at a time, while a server sends much."""

from __future__ import annotations

import os
from time import monotonic

from flooded_shell import flood, read, shell_in_pty

from support import DEADLINE, memory

SPEED = 50_000
"""Bytes a second that the terminal shows."""


def read_until(master, done):
    """What the terminal shows until `done` holds for it."""
    text = ""
    end = monotonic() + DEADLINE
    while not done(text):
        assert monotonic() < end, text[-300:]
        text += read(master, SPEED)
    return text


def test_a_key_is_shown_before_the_rest_of_a_flood(tmp_path):
    with flood() as target, shell_in_pty(target, tmp_path) as (process, master):
        read_until(master, lambda text: len(text) > 60_000)  # it has found out how slow this is
        before = []
        for key in "QWERTY":
            os.write(master, key.encode())
            before.append(len(read_until(master, lambda text: key in text)))  # noqa: B023
        assert max(before) < 32 * 1024  # 20 KiB of them are those that the terminal has taken
        assert sum(before[1:]) < 32 * 1024  # while keys come, no more is printed
        assert memory(process) < 120 << 20
