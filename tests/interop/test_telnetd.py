"""Our pipe on the telnetd of GNU inetutils, which is Debian's."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest

from peers import peer
from support import BIN, DEADLINE, program, watched

# Says when telnet is negotiated, and then each line that it reads, in brackets.
READER = """
printf 'ready\\n'
while read -r line; do printf '[%s]\\n' "$line"; done
"""


@contextmanager
def telnetd(tmp_path, script):
    """The port of a telnetd that runs a shell script in place of login."""
    path = tmp_path / "login.sh"
    path.write_text(script)
    words = [program("telnetd"), "--no-hostinfo", f"--exec-login=/bin/sh {path}"]

    def serve(sock):
        subprocess.run(words, stdin=sock, stdout=sock, timeout=DEADLINE, check=False)

    with peer(serve) as (_, port):
        yield port


@pytest.mark.parametrize("options", [["-C"], []], ids=["-C", "LF"])
def test_each_line_of_a_pipe_is_one_line(tmp_path, options):
    words = [BIN / "echoproto", *options, "--no-shutdown"]
    with (
        telnetd(tmp_path, READER) as port,
        watched(*words, f"telnet://127.0.0.1:{port}") as (process, output),
    ):
        output.wait_for("ready")
        process.stdin.write(b"one\ntwo\n\nthree\n")
        process.stdin.flush()
        output.wait_for(r"\[three\]")
        process.kill()
        assert output.wait_for_end().split() == ["ready", "[one]", "[two]", "[]", "[three]"]
