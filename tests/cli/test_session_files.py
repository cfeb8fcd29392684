"""What replay and bench say about a session file that they cannot use."""

from __future__ import annotations

import pytest

from support import echoproto

FIRST = "# echoproto session 1\n"


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("> hello\n", ["127.0.0.1:1"], "echoproto: {}:1: not a session file: the first line must"),
        (FIRST + ">hello\n", ["127.0.0.1:1"], "echoproto: {}:2: a blank is missing: write '> h"),
        (FIRST + "> hello\n", [], "Error: {} names no target: give TARGET after it"),
        (FIRST + "\ntarget x\n", [], "echoproto: {}:3: x: the port is missing; give HOST PORT"),
        (
            FIRST + "> ${pw}\n",
            ["127.0.0.1:1"],
            "echoproto: {}:2: ${{pw}} has no value: give it with --set pw=VALUE",
        ),
        (FIRST, ["127.0.0.1:1", "--set", "pw=x"], "Error: --set pw: no session has ${{pw}}"),
        (
            FIRST,
            ["127.0.0.1:1", "--set", "pw"],
            "Error: Invalid value for '--set': 'pw': give NAME=VALUE, such as user=alice",
        ),
        (FIRST, ["127.0.0.1:1", "--set", "1=x"], "Error: Invalid value for '--set': '1=x'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, words, message):
    path = tmp_path / "a.session"
    path.write_text(text)
    done = echoproto("replay", path, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[-1].startswith(message.format(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    done = echoproto("replay", tmp_path / "no", "127.0.0.1:1")
    assert (done.returncode, done.stderr.decode()) == (
        2, f"echoproto: {tmp_path}/no: No such file or directory\n",
    )  # fmt: skip


def test_a_file_without_a_name_is_not_the_current_folder():
    done = echoproto("show", "")
    assert (done.returncode, done.stderr) == (2, b"echoproto: : No such file or directory\n")
