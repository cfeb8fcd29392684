"""`echoproto show` on the command line."""

from __future__ import annotations

import os

import pytest

from support import BIN, Output, echoproto, start

TEXT = "# echoproto session 1\n> a${pw}\n< \\e[2J\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.session"
    path.write_text(TEXT)
    return path


def show(*words):
    done = echoproto("show", *words)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


def test_a_file_is_printed_as_bytes_on_the_wire(path):
    assert show(path, "--set", "pw=b") == (
        0,
        [
            "> sent 4 bytes",
            "  0000  61 62 0d 0a                                       ab\\r\\n",
            "< received 6 bytes",
            "  0000  1b 5b 32 4a 0d 0a                                 \\e[2J\\r\\n",
        ],
        [],
    )


def test_several_files_have_their_names_above_them(path):
    status, printed, _ = show(path, path)
    assert (status, printed[0], printed[5], len(printed)) == (0, f"{path}:", f"{path}:", 10)


def test_a_file_that_is_no_session_and_a_value_that_is_not_used_are_errors(path, tmp_path):
    bad = tmp_path / "b.session"
    bad.write_text("hello\n")
    assert show(path, bad)[::2] == (
        2,
        [f"echoproto: {bad}:1: not a session file: the first line must be '# echoproto session 1'"],
    )
    status, _, said = show(path, "--set", "x=1")
    assert (status, said[-1]) == (2, "Error: --set x: no session has ${x}")
    assert show()[0] == 2


@pytest.mark.parametrize("variables", [{"NO_COLOR": ""}, {"NO_COLOR": "1"}])
def test_a_terminal_has_colours_unless_the_user_wants_none(path, variables):
    main, terminal = os.openpty()
    with os.fdopen(main, "rb") as screen:
        env = {**os.environ, "TERM": "xterm"} | variables
        with start(BIN / "echoproto", "show", path, stdout=terminal, env=env):
            os.close(terminal)
            printed = Output(screen).wait_for_end()
    assert ("\x1b[36m> sent" in printed) is not bool(variables["NO_COLOR"])
    assert "1b 5b 32 4a" in printed
    assert "\x1b[2J" not in printed
