"""`LogWriter`: it never waits for who reads the log, and says what it has dropped."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from time import monotonic

import pytest

from echoproto.server.log_writer import END_TIMEOUT, MAX_QUEUED, LogWriter, descriptor_sink
from support import DEADLINE, eventually

LINE = "x" * 99 + "\n"
FITS = MAX_QUEUED // len(LINE)


class Sink:
    """Where a log goes: it may be held up, and it may fail."""

    def __init__(self):
        self.error = None
        self.written = []
        self.called = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def __call__(self, data):
        self.called.set()
        assert self.open.wait(DEADLINE)
        if self.error is not None:
            raise self.error
        self.written.append(data)

    @property
    def text(self):
        return b"".join(self.written).decode()


def report(count):
    return f"{count} dropped\n"


@pytest.fixture
def sink():
    it = Sink()
    yield it
    it.open.set()


@pytest.fixture
def writer(sink):
    it = LogWriter(sink, report)
    it.start()
    return it


def hold(sink, writer):
    """Have the thread wait in a write of one line."""
    sink.open.clear()
    sink.called.clear()
    writer.write("held\n")
    assert sink.called.wait(DEADLINE)


def test_lines_are_written_in_their_order_and_several_at_once(sink, writer):
    hold(sink, writer)
    expected = [f"{number}\n" for number in range(1000)]
    for line in expected:
        writer.write(line)
    sink.open.set()
    writer.end()
    assert sink.text == "held\n" + "".join(expected)
    assert len(sink.written) < 10


def test_before_it_is_started_a_line_is_written_at_once(sink):
    writer = LogWriter(sink, report)
    writer.write("one\n")
    assert sink.text == "one\n"
    done = []
    writer.call(lambda: done.append(sink.text))
    assert done == ["one\n"]
    writer.end()


def test_what_is_written_at_once_fits_into_a_pipe_and_ends_with_a_line_end(sink, writer):
    hold(sink, writer)
    for number in range(500):
        writer.write(f"{number}" + LINE)
    writer.write("y" * 10_000 + "\n")
    sink.open.set()
    writer.end()
    *others, long = sink.written
    assert long == b"y" * 10_000 + b"\n"
    assert all(len(data) <= 4096 and data.endswith(b"\n") for data in others)


def test_when_the_queue_is_full_lines_are_dropped_and_counted_once(sink, writer):
    hold(sink, writer)
    for _ in range(FITS + 500):
        writer.write(LINE)
    sink.open.set()
    eventually(lambda: "dropped" in sink.text, "the report")
    writer.write("after\n")
    writer.end()
    *first, dropped, after = sink.text.splitlines()
    kept = len(first) - 1
    assert dropped == f"{FITS + 500 - kept} dropped"
    assert FITS - 1 <= kept <= FITS
    assert after == "after"


def test_a_line_that_is_longer_than_the_queue_is_written_when_the_queue_is_empty(sink, writer):
    writer.write("x" * MAX_QUEUED + "y\n")
    writer.end()
    assert sink.text == "x" * MAX_QUEUED + "y\n"


def test_what_cannot_be_written_is_counted_and_reported_when_writing_goes_on(sink, writer):
    sink.error = OSError(28, "No space left on device")
    for number in range(3):
        writer.write(f"{number}\n")
        writer.call((passed := threading.Event()).set)
        assert passed.wait(DEADLINE)
    sink.error = None
    writer.write("after\n")
    writer.end()
    assert sink.text == "3 dropped\nafter\n"


def test_the_end_waits_for_no_longer_than_its_timeout(sink, writer):
    hold(sink, writer)
    start = monotonic()
    writer.end()
    writer.write("more\n")
    writer.end()
    assert END_TIMEOUT <= monotonic() - start < END_TIMEOUT + DEADLINE / 4


def test_after_the_end_each_line_is_written_before_the_call_returns(sink, writer):
    writer.end()
    for number in range(3):
        writer.write(f"{number}\n")
        assert sink.text.endswith(f"{number}\n")


def test_a_function_is_called_when_what_came_before_is_written(sink, writer):
    hold(sink, writer)
    seen = []
    writer.call(lambda: seen.append(sink.text))
    writer.write("after\n")
    sink.open.set()
    writer.end()
    assert seen == ["held\n"]


def test_a_function_that_fails_does_not_end_the_log(sink, writer):
    def fail():
        raise OSError

    writer.call(fail)
    writer.write("after\n")
    writer.end()
    assert sink.text == "after\n"


def test_what_the_encoding_does_not_have_is_escaped(sink):
    writer = LogWriter(sink, report, "ascii")
    writer.write("\u00e9\udc80\n")
    assert sink.text == "\\xe9\\udc80\n"


@contextmanager
def pipe():
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def test_a_descriptor_that_another_process_made_non_blocking_is_waited_for():
    with pipe() as (reader, writer):
        os.set_blocking(writer, False)
        data = os.urandom(1 << 20)
        thread = threading.Thread(target=descriptor_sink(writer), args=[data])
        thread.start()
        got = b""
        while len(got) < len(data):
            got += os.read(reader, 65536)
        thread.join(DEADLINE)
        assert got == data
        assert not os.get_blocking(writer)
