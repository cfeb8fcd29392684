"""`echoproto send` on the command line: files, a closed output, and what is wrong."""

from __future__ import annotations

import subprocess

import pytest

from support import BIN, DEADLINE, echoproto, start

ECHOPROTO = BIN / "echoproto"


def test_files_are_sent_one_after_the_other(server, tmp_path):
    (tmp_path / "one").write_bytes(b"1\r\n")
    (tmp_path / "two").write_bytes(b"\xff2")
    target = f"127.0.0.1:{server.port}"
    done = echoproto("send", target, "one", "-", "two", cwd=tmp_path, input=b"stdin")
    assert (done.returncode, done.stdout) == (0, b"1\r\nstdin\xff2")


def test_with_c_a_line_feed_is_sent_as_cr_lf(server):
    done = echoproto("-C", f"127.0.0.1:{server.port}", input=b"a\nb\r\n\n")
    assert done.stdout == b"a\r\nb\r\n\r\n"


def test_an_output_that_is_closed_ends_it_quietly(server):
    with start(ECHOPROTO, f"127.0.0.1:{server.port}", stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["127.0.0.1", "1"], 1, "echoproto: cannot connect to 127.0.0.1:1: Connection refused"),
        (["localhost", "1"], 1, "echoproto: cannot connect to localhost:1: Connection refused"),
        (["no.such.invalid", "1"], 1, "echoproto: cannot find host no.such.invalid: "),
        (["x" * 70, "1"], 2, f"Error: {'x' * 70}: a host name has at most 63 characters "),
        (["unix:///nosuch"], 1, "echoproto: cannot connect to /nosuch: No such file or directory"),
        (["localhost"], 2, "Error: localhost: the port is missing; give HOST PORT, "),
        (["localhost", "1", "2"], 2, "Error: unexpected argument '2' after the target localhost:1"),
        (["--nosuch"], 2, "Error: No such option"),
        (["-w", "soon", "localhost", "1"], 2, "Error: Invalid value for '-w' / '--wait': "),
        (["-w", "nan", "localhost", "1"], 2, "Error: Invalid value for '-w' / '--wait': "),
        (["-w", "0", "localhost", "1"], 2, "Error: Invalid value for '-w' / '--wait': "),
        (["-q", "-1", "localhost", "1"], 2, "Error: Invalid value for '-q': '-1' is not a number"),
        (["--send-only", "-d", "localhost:1"], 2, "Error: --send-only receives nothing and ends"),
        (["--send-only", "-q", "1", "localhost:1"], 2, "Error: --send-only receives nothing and"),
        (["-d", "-C", "localhost:1"], 2, "Error: --recv-only sends nothing: leave out --crlf"),
        (
            ["--no-shutdown", "--shutdown", "0", "localhost:1"],
            2,
            "Error: --no-shutdown never half-closes: leave out --shutdown",
        ),
        (["send", "-d", "localhost:1", "x"], 2, "Error: --recv-only sends nothing: leave out 'x'"),
        (["--eol", "lf", "localhost:1"], 2, "Error: --eol has an effect only in the shell"),
        (["send"], 2, "Error: Missing argument 'TARGET [FILE]...'"),
        (["send", "localhost:1", "/nosuch"], 2, "Error: Invalid value: File '/nosuch' does not"),
        (["send", "localhost:1", "/"], 2, "Error: Invalid value: File '/' is a directory."),
    ],
)
def test_what_is_wrong_is_said_in_a_clear_line(words, status, message):
    done = echoproto(*words)
    assert done.returncode == status
    assert done.stdout == b""
    assert done.stderr.decode().splitlines()[-1].startswith(message)
    if status == 1:
        assert done.stderr.count(b"\n") == 1
