"""The terminal as an output: all of it is written, and how long that took is noted."""

from __future__ import annotations

import os
import pty
import tty
from contextlib import contextmanager
from threading import Thread

from prompt_toolkit.output.vt100 import Vt100_Output

from echoproto.shell.terminal import SLICE, PacedStream, open_terminal


class Noted:
    """What a pace is told."""

    def __init__(self):
        self.sizes, self.times = [], []

    def wrote(self, size, seconds, now):
        self.sizes.append(size)
        self.times.append((seconds, now))


@contextmanager
def terminal(encoding="utf-8"):
    """A terminal to write to; `read` returns so many of the bytes that it shows."""
    master, slave = pty.openpty()
    tty.setraw(slave)

    def read(count):
        data = b""
        while len(data) < count:
            data += os.read(master, count - len(data))
        return data

    with os.fdopen(slave, "w", encoding=encoding) as stream:
        yield stream, read
    os.close(master)


def test_a_long_text_is_written_whole_and_in_pieces_that_are_noted():
    text = "".join(f"{number:09}é" for number in range(20_000))
    data = text.encode()
    noted = Noted()
    with terminal() as (stream, read):
        writer = Thread(target=PacedStream(stream, noted).write, args=[text])
        writer.start()
        assert read(len(data)) == data
        writer.join()
    assert sum(noted.sizes) == len(data)
    assert max(noted.sizes) == SLICE
    assert all(0 <= seconds <= now for seconds, now in noted.times)


def test_what_the_terminal_cannot_show_is_a_question_mark():
    with terminal("latin-1") as (stream, read):
        paced = PacedStream(stream, Noted())
        assert paced.write("grüß 世") == 6
        assert read(6) == "grüß ?".encode("latin-1")
        assert (paced.encoding, paced.fileno()) == (stream.encoding, stream.fileno())
        assert paced.isatty()


def test_standard_output_becomes_an_output_that_asks_the_terminal_nothing(monkeypatch):
    noted = Noted()
    with terminal() as (stream, read):
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setenv("TERM", "xterm-256color")
        output = open_terminal(noted)
        assert isinstance(output, Vt100_Output)
        assert not output.responds_to_cpr
        output.write("text")
        output.flush()
        assert read(4) == b"text"
    assert noted.sizes == [4]
