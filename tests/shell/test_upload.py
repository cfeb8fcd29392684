"""A file that is sent: its parts, how it ends, and what cannot be sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from echoproto.shell.upload import CHUNK, Upload


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def open_upload(path):
    ends = []
    return Upload(str(path), "name", lambda *end: ends.append(end)), ends


def test_a_file_comes_in_parts_and_says_when_it_has_ended(tmp_path):
    data = os.urandom(CHUNK + 10)
    (tmp_path / "file").write_bytes(data)
    upload, ends = open_upload(tmp_path / "file")
    assert (upload.size, upload.unsent) == (len(data), len(data))
    parts = upload.chunks()
    assert next(parts) == data[:CHUNK]
    assert (upload.sent, upload.unsent) == (CHUNK, 10)
    assert list(parts) == [data[CHUNK:]]
    assert upload.unsent == 0
    assert ends == [(upload, None)]


def test_an_empty_file_only_ends(tmp_path):
    (tmp_path / "file").touch()
    upload, ends = open_upload(tmp_path / "file")
    assert list(upload.chunks()) == []
    assert ends == [(upload, None)]


def test_what_is_stopped_is_read_no_further_and_its_file_is_closed(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 3 * CHUNK)
    before = open_files()
    upload, ends = open_upload(tmp_path / "file")
    parts = upload.chunks()
    next(parts)
    upload.stop()
    assert list(parts) == []
    assert upload.unsent == 2 * CHUNK
    assert ends == []
    assert open_files() == before


def test_an_error_in_the_middle_is_the_end(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x" * 3 * CHUNK)
    upload, ends = open_upload(tmp_path / "file")
    parts = upload.chunks()
    next(parts)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    assert list(parts) == []
    ((_, error),) = ends
    assert error.strerror == "Input/output error"


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    before = open_files()
    for name in ("fifo", "."):
        with pytest.raises(OSError, match="not a regular file"):
            open_upload(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        open_upload(tmp_path / "nosuch")
    assert open_files() == before
