"""Each command with an output that is full, a reader that is gone, and streams that are closed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from peers import peer
from support import BIN, DEADLINE, echoproto, receive_all, run, start

pytestmark = pytest.mark.long

ECHOPROTO = str(BIN / "echoproto")
COMPLETE = {"_ECHOPROTO_COMPLETE": "bash_complete", "COMP_WORDS": "echoproto ", "COMP_CWORD": "1"}
SOURCE = {"_ECHOPROTO_COMPLETE": "bash_source"}

SILENT = {
    "--help": {},
    "--version": {},
    "send --help": {},
    "": COMPLETE,
    "completion": SOURCE,
}
"""Command lines that need no server, and their environment."""

BUSY = ["{}", "send {}", "send {} FILE", "ping -c 1 {}", "bench -c 1 -d 0.05 {}"]
"""Command lines that talk to a server."""

READS_INPUT = ["{}", "send {}"]


@pytest.fixture
def ended(server, tmp_path):
    """Run a command line under a shell's redirections; its status, output and errors."""
    (tmp_path / "FILE").write_bytes(b"hello\n")

    def run_it(words, redirected, **kwargs):
        line = f'exec "$0" {words.format(f"127.0.0.1:{server.port}")} {redirected}'
        env = {**os.environ, **SILENT.get(words, {})}
        done = subprocess.run(
            ["sh", "-c", line, ECHOPROTO],
            **{"stdout": subprocess.PIPE, **kwargs},
            **({} if "stdin" in kwargs else {"input": b"hello\n"}),
            stderr=subprocess.PIPE,
            env=env,
            cwd=tmp_path,
            timeout=DEADLINE,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run_it


@pytest.mark.parametrize("words", [*SILENT, *BUSY])
def test_an_output_that_is_full_is_said(ended, words):
    said = b"echoproto: standard output: No space left on device\n"
    assert ended(words, ">/dev/full") == (2, b"", said)


@pytest.mark.parametrize("words", [*SILENT, *BUSY])
def test_an_output_whose_reader_is_gone_ends_it_in_silence(ended, words):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert ended(words, "", stdout=writing) == (1, None, b"")
    finally:
        os.close(writing)


@pytest.mark.parametrize("words", ["--help", "{}", "ping {}", "send {} FILE"])
def test_an_output_that_is_closed_is_said_before_anything_is_done(ended, words):
    assert ended(words, ">&-") == (2, b"", b"echoproto: standard output is closed\n")
    assert ended(words, "<&- >&- 2>&-") == (2, b"", b"")


@pytest.mark.parametrize("words", [*SILENT, *BUSY])
def test_a_closed_input_matters_to_what_reads_it(ended, words):
    status, output, said = ended(words, "<&-")
    if words in READS_INPUT:
        assert (status, output, said) == (2, b"", b"echoproto: standard input is closed\n")
    else:
        assert (status, said) == (0, b"")
        assert output


@pytest.mark.parametrize("words", ["--help", *BUSY])
@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
def test_messages_that_nobody_can_read_change_nothing(ended, words, redirected):
    status, output, said = ended(words, redirected)
    assert (status, said) == (0, b"")
    assert output


@pytest.mark.parametrize(("words", "status"), [("--nosuch", 2), ("unix:///nosuch", 1)])
@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
def test_an_error_that_cannot_be_said_has_its_status(ended, words, status, redirected):
    assert ended(words, redirected) == (status, b"", b"")


def test_a_locale_without_the_sign_for_micro_gets_an_escape(server):
    env = {**os.environ, "PYTHONIOENCODING": "koi8-r"}
    done = echoproto("bench", "-c", "1", "-d", "0.5", f"127.0.0.1:{server.port}", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" \\xb5s\n" in done.stdout


# Files


def test_files_are_opened_one_at_a_time(server, tmp_path):
    names = [f"{number}" for number in range(100)]
    for name in names:
        (tmp_path / name).write_text(f"{name}\n")
    line = f'ulimit -n 64; exec "$0" send 127.0.0.1:{server.port} "$@"'
    done = run("sh", "-c", line, ECHOPROTO, *names, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().split() == names


def test_a_missing_file_is_said_before_anything_is_sent(server, tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    done = echoproto("send", f"127.0.0.1:{server.port}", "one", "two", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(b"File 'two' does not exist.\n")


def test_a_file_that_vanishes_or_shrinks_while_others_are_sent_is_said(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(10_000_000))

    def vanish(sock):
        sock.recv(1)
        (tmp_path / "two").unlink()
        receive_all(sock)

    def shrink(sock):
        sock.recv(1)
        os.truncate(tmp_path / "one", 0)
        receive_all(sock)

    for change, said in [
        (vanish, b"echoproto: two: No such file or directory\n"),
        (shrink, b"echoproto: one: it became shorter while it was sent\n"),
    ]:
        with peer(change) as (host, port):
            done = echoproto("send", f"{host}:{port}", "one", "two", cwd=tmp_path)
            assert (done.returncode, done.stderr) == (2, said)
            (tmp_path / "two").touch()


def test_a_fifo_is_waited_for_and_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"before ")

    def serve(sock):
        received = sock.recv(7)
        (tmp_path / "fifo").write_bytes(b"from the fifo")
        sock.sendall(received + receive_all(sock))

    with peer(serve) as (host, port):
        done = echoproto("send", f"{host}:{port}", "file", "fifo", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"before from the fifo", b"")


def test_a_signal_ends_the_wait_for_the_writer_of_a_fifo(server, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"sent")
    words = ["send", f"127.0.0.1:{server.port}", tmp_path / "file", tmp_path / "fifo"]
    with start(ECHOPROTO, *words, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(4) == b"sent"
        process.terminate()
        assert process.wait(DEADLINE) == 143
        assert process.stderr.read() == b""


@pytest.mark.skipif(sys.platform != "linux", reason="this drops the rights of root on Linux")
def test_a_file_without_permission_is_said_before_anything_is_sent(server, tmp_path):
    (tmp_path / "secret").touch(0)
    rights = "-dac_override,-dac_read_search"
    as_anyone = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]
    words = [ECHOPROTO, "send", f"127.0.0.1:{server.port}", "secret"]
    done = run(*(as_anyone if os.geteuid() == 0 else []), *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(b"File 'secret' is not readable.\n")
