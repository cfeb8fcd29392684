"""The pace, against a terminal that is simulated: a queue that is shown at some speed."""

from __future__ import annotations

import pytest

from echoproto.shell.pace import FAST, MAX_PIECE, Pace

SLICE = 1024


class Terminal:
    """Takes `queue` bytes that it does not show yet, and shows `speed` bytes a second.

    As on Linux, when the queue is full, a writer waits until most of it is shown.
    """

    def __init__(self, speed, queue=20 * 1024, low=4 * 1024):
        self.speed, self.queue, self.low = speed, queue, low
        self.now = self.waiting = 0.0
        self.shown = 0.0

    def wait(self, seconds):
        self.now += seconds
        shown = min(self.waiting, seconds * self.speed)
        self.waiting -= shown
        self.shown += shown

    def write(self, size):
        """Take `size` bytes; the seconds for which the writer waits."""
        is_full = self.waiting + size > self.queue
        seconds = (self.waiting - self.low) / self.speed if is_full else 0.0
        self.wait(seconds)
        self.waiting += size
        return seconds


def flood(pace, terminal, seconds):
    """Print as the shell does. The seconds for which a key would wait, at each piece."""
    waits = []
    end = terminal.now + seconds
    while terminal.now < end:
        while delay := pace.delay(terminal.now):
            terminal.wait(delay)
        size = pace.take()
        while size > 0:
            took = terminal.write(min(size, SLICE))
            pace.wrote(min(size, SLICE), took, terminal.now)
            size -= SLICE
        waits.append(terminal.waiting / terminal.speed)
        terminal.wait(0.02)
    return sorted(waits)


@pytest.mark.parametrize("speed", [10_000, 50_000, 200_000])
def test_little_is_queued_in_a_slow_terminal_and_its_speed_is_used(speed):
    pace, terminal = Pace(), Terminal(speed)
    flood(pace, terminal, 5)
    assert pace.is_slow
    before = terminal.shown
    waits = flood(pace, terminal, 20)
    assert waits[len(waits) // 2] * speed < 8 * 1024
    assert terminal.shown - before > 0.6 * speed * 20


def test_a_fast_terminal_gets_large_pieces():
    pace, terminal = Pace(), Terminal(100 * FAST)
    flood(pace, terminal, 1)
    assert not pace.is_slow
    assert pace.take() == MAX_PIECE


@pytest.mark.parametrize("speed", [10_000, 100_000])
def test_a_terminal_that_becomes_fast_gets_large_pieces_again(speed):
    pace, terminal = Pace(), Terminal(speed)
    flood(pace, terminal, 2)
    assert pace.is_slow
    terminal.speed = 100 * FAST
    flood(pace, terminal, 10)
    assert not pace.is_slow


def test_output_waits_after_a_key_on_a_slow_terminal_only():
    pace, terminal = Pace(), Terminal(50_000)
    pace.pressed(terminal.now)
    assert pace.delay(terminal.now) == 0
    flood(pace, terminal, 2)
    terminal.wait(1)
    assert pace.delay(terminal.now) == 0
    pace.pressed(terminal.now)
    assert pace.delay(terminal.now) > 0.1


def test_the_speed_grows_only_while_no_key_is_pressed():
    pace, terminal = Pace(), Terminal(50_000)
    flood(pace, terminal, 5)
    terminal.wait(1)
    pace.wrote(SLICE, 0.0, terminal.now)  # it no longer measures a full queue
    sizes = []
    for is_typing in (True, False):
        before = pace.take()
        for _ in range(30):
            if is_typing:
                pace.pressed(terminal.now)
            pace.wrote(SLICE, 0.0, terminal.now)
            terminal.wait(0.5)
        sizes.append(pace.take() - before)
    assert sizes[0] == 0 < sizes[1]


def test_a_terminal_that_was_stopped_is_not_left_for_long():
    pace = Pace()
    for hour in range(1, 7):
        pace.wrote(SLICE, 3600, hour * 3600)
        assert pace.delay(hour * 3600) <= 1
    assert pace.is_slow
