"""What commands share on the command line: numbers, the target, telnet."""

from __future__ import annotations

import os
import re

import click
import pytest

from echoproto.cli.options import Number
from support import BIN, run


@pytest.mark.parametrize("command", [[], ["connect"], ["send"], ["ping"], ["bench"]])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["-w", "0", "localhost:1"],
            "Invalid value for '-w' / '--wait': '0' is not a number of sec",
        ),
        (
            ["-w", "nan", "localhost:1"],
            "Invalid value for '-w' / '--wait': 'nan' is not a number of",
        ),
        (
            ["-w", "inf", "localhost:1"],
            "Invalid value for '-w' / '--wait': 'inf' is not a number of",
        ),
        (["localhost"], "localhost: the port is missing; give HOST PORT, HOST:PORT, "),
        (["localhost", "0"], "localhost 0: '0' is not a port from 1 to 65535; "),
        (["-k", "localhost:1"], "-k has an effect only on TLS, which localhost:1 does not use; "),
        (["ftp://localhost"], "ftp://localhost: unknown scheme ftp://; "),
    ],
)
def test_each_command_says_what_is_wrong_with_what_all_have(command, words, message):
    done = run(BIN / "echoproto", *command, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[-1].startswith(f"Error: {message}")
    shown = " ".join(["echoproto", *(command or ["connect"])])
    assert done.stderr.decode().startswith(f"Usage: {shown} ")


@pytest.mark.parametrize("command", ["connect", "ping", "bench"])
def test_what_comes_after_the_target_is_refused_where_there_is_only_one(command):
    done = run(BIN / "echoproto", command, "localhost:1", "more")
    assert done.returncode == 2
    said = done.stderr.decode().splitlines()[-1]
    assert said == "Error: unexpected argument 'more' after the target localhost:1"


@pytest.mark.parametrize("command", [[], ["connect"], ["send"]])
def test_a_telnet_target_cannot_be_plain(command):
    done = run(BIN / "echoproto", *command, "--telnet", "never", "telnet://localhost")
    assert done.returncode == 2
    said = done.stderr.decode().splitlines()[-1]
    assert said.startswith("Error: --telnet never contradicts telnet://localhost:23; give tcp://")


@pytest.mark.parametrize(
    ("number", "right", "wrong", "wanted"),
    [
        (
            Number("seconds", above=0),
            ["0.1", "7"],
            ["0", "-1", "x"],
            "a number of seconds, above 0",
        ),
        (
            Number("bytes", int, least=1),
            ["1", "1" * 400],
            ["0", "1.5"],
            "a whole number of bytes, at least 1",
        ),
        (
            Number("seconds", above=0, most=50_000),
            ["50000"],
            ["50001", "inf", "nan"],
            "a number of seconds, above 0 and at most 50,000",
        ),
    ],
)
def test_a_number_is_within_its_limits(number, right, wrong, wanted):
    assert [number.convert(text, None, None) for text in right] == [
        number._kind(text) for text in right
    ]
    for text in wrong:
        with pytest.raises(click.BadParameter, match=re.escape(f"'{text}' is not {wanted}.")):
            number.convert(text, None, None)


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant():
    done = run(BIN / "echoproto", "bnech", "localhost:2020")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().endswith("; or did you mean the command bench?\n")


def test_the_target_of_a_command_that_was_named_is_not_taken_for_a_command():
    done = run(BIN / "echoproto", "ping", "bench")
    assert done.returncode == 2
    assert "did you mean" not in done.stderr.decode()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ping", "te"], ["telnet://", "telnets://"]),
        (["send", "u"], ["unix:"]),
        (["connect", "t"], ["tcp://", "tls://", "telnet://", "telnets://"]),
        (["bench", "localhost", "t"], []),
    ],
)
def test_a_shell_completes_what_a_target_begins_with(words, completed):
    env = {
        **os.environ,
        "_ECHOPROTO_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["echoproto", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = run(BIN / "echoproto", env=env)
    assert done.stdout.decode().split() == [f"plain,{word}" for word in completed]
