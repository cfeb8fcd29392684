"""Our pipe on the telnetd of GNU inetutils, which is Debian's."""

from __future__ import annotations

import pytest

from support import BIN, watched
from telnet_hosts import telnetd

# Says when telnet is negotiated, and then each line that it reads, in brackets.
READER = """
printf 'ready\\n'
while read -r line; do printf '[%s]\\n' "$line"; done
"""


@pytest.mark.parametrize("options", [["-C"], []], ids=["-C", "LF"])
def test_each_line_of_a_pipe_is_one_line(tmp_path, options):
    script = tmp_path / "read-lines"
    script.write_text(READER)
    words = [BIN / "echoproto", *options, "--no-shutdown"]
    with (
        telnetd(f"/bin/sh {script}") as port,
        watched(*words, f"telnet://127.0.0.1:{port}") as (process, output),
    ):
        output.wait_for("ready")
        process.stdin.write(b"one\ntwo\n\nthree\n")
        process.stdin.flush()
        output.wait_for(r"\[three\]")
        process.kill()
        assert output.wait_for_end().split() == ["ready", "[one]", "[two]", "[]", "[three]"]
