"""The programs in docs/examples/ and in README, as they stand there.

The lecture's are in tests/interop/.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from support import BIN, Output, connect, receive_exactly, run, start

TOP = Path(__file__).parents[1]
EXAMPLES = TOP / "docs" / "examples"


def test_a_line_server_of_your_own():
    with start(sys.executable, EXAMPLES / "shout.py", "0") as process:
        output = Output(process.stdout)
        (match,) = output.wait_for(r"LineFactory starting on (\d+)")
        with connect(int(match[1])) as sock:
            sock.sendall(b"hello\nand again\r")
            assert receive_exactly(sock, 18) == b"HELLO\r\nAND AGAIN\r\n"
        output.wait_for(r"\[1\] .* disconnected: 2 lines, 16 bytes, .*: closed by the client")
        process.kill()
        output.wait_for_end()


def test_the_protocol_in_readme_passes_mypy_strict(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    (tmp_path / "shout.py").write_text(code)
    done = run(BIN / "mypy", "--strict", tmp_path / "shout.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout.decode()
