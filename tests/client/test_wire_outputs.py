"""Where the wire is written: files as they were, files that fail, and what is in them at once."""

from __future__ import annotations

import os
import stat

import pytest

from echoproto.client.wire_outputs import WireFile, WireOutputs
from echoproto.wire.pcap import FILE_HEADER
from echoproto.wire.tap import WireEvent, WireKind

HELLO = WireEvent(1_800_000_000, WireKind.SENT, b"hello")


@pytest.fixture
def opened():
    """Open a file, which is closed at the end."""
    files = []

    def open_it(path):
        files.append(WireFile(str(path)))
        return files[-1]

    yield open_it
    for file in files:
        file.close()


def test_a_new_file_is_its_owner_s_alone_and_an_old_one_stays_as_it_is(opened, tmp_path):
    old_umask = os.umask(0)
    try:
        opened(tmp_path / "new")
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(0o644)
    file = opened(tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"
    file.start(b"n")
    assert (tmp_path / "old").read_text() == "n"
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o644


def test_what_cannot_be_opened_is_an_error_that_names_it(opened, tmp_path):
    for path in (tmp_path, tmp_path / "no" / "file"):
        with pytest.raises(OSError, match=r"directory") as raised:
            opened(path)
        assert raised.value.filename == str(path)


def test_a_file_knows_itself_by_any_name(opened, tmp_path):
    file = opened(tmp_path / "one")
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "two").touch()
    assert file.is_same(str(tmp_path / "link"))
    assert file.is_same(opened(tmp_path / "one").fd)
    assert not file.is_same(str(tmp_path / "two"))
    assert not file.is_same(str(tmp_path / "missing"))
    assert not opened("/dev/null").is_same("/dev/null")


def test_each_event_is_in_the_files_at_once(opened, tmp_path):
    outputs = WireOutputs(pytest.fail)
    outputs.add_view(opened(tmp_path / "view"), "never")
    outputs.add_pcap(opened(tmp_path / "pcap"))
    assert (tmp_path / "pcap").read_bytes() == FILE_HEADER
    for count in (1, 2):
        outputs(HELLO)
        assert (tmp_path / "view").read_text().count("sent 5 bytes\n  0000  68 65") == count
        assert (tmp_path / "pcap").read_bytes().count(b"hello") == count
    assert not outputs.failed


def test_the_view_in_a_file_is_whole_and_dated(opened, tmp_path):
    outputs = WireOutputs(pytest.fail)
    outputs.add_view(opened(tmp_path / "view"), "never")
    outputs(HELLO._replace(data=bytes(65536)))
    lines = (tmp_path / "view").read_text().splitlines()
    assert lines[0].startswith("2027-01-")
    assert len(lines) == 1 + 1 + 4096


def test_a_file_that_fails_is_said_once_and_the_others_go_on(opened, tmp_path):
    said, seen = [], []
    outputs = WireOutputs(said.append)
    outputs.add_view(opened("/dev/full"), "never")
    outputs.add_pcap(opened(tmp_path / "pcap"))
    outputs.add(seen.append)
    outputs(HELLO)
    outputs(HELLO)
    assert said == ["/dev/full: No space left on device; what follows is not in that file"]
    assert outputs.failed
    assert seen == [HELLO, HELLO]
    assert (tmp_path / "pcap").read_bytes().count(b"hello") == 2


def test_a_function_that_fails_is_dropped_in_silence():
    calls = []

    def fails(event):
        calls.append(event)
        raise BrokenPipeError

    outputs = WireOutputs(pytest.fail)
    outputs.add(fails)
    outputs(HELLO)
    outputs(HELLO)
    assert (calls, outputs.failed) == ([HELLO], False)


def test_a_pipe_that_is_full_is_waited_for(opened, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    file = opened(tmp_path / "fifo")
    os.set_blocking(file.fd, False)
    pid = os.fork()
    if not pid:  # a reader that empties the pipe
        os.set_blocking(reader, True)
        count = 0
        while count < 1 << 20:
            count += len(os.read(reader, 65536))
        os._exit(0)
    os.close(reader)
    file.start(bytes(1 << 20))
    assert os.waitpid(pid, 0)[1] == 0
