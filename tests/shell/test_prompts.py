"""What looks like a prompt, and which prompts ask for a secret."""

from __future__ import annotations

import pytest

from echoproto.shell.prompts import asks_for_secret, is_prompt


@pytest.mark.parametrize(
    "start",
    [
        *["login: ", "login:", "Password:", "$ ", "#", "router>", "ftp> ", ">>> ", "(gdb) "],
        *["Continue?", "Overwrite (y/n)", "Sure [yes/no]", "host%", "PIN", "user@host:~$", "\t"],
        *["--More--", "-- more --", "name (more)", "(END)"],
        *["x" * 10_000 + ": ", "a < b >", "»"],
    ],
)
def test_prompts(start):
    assert is_prompt(start.encode())


@pytest.mark.parametrize(
    "start",
    [
        "hello",
        "50%",
        '{"a": [1]}',
        "</html>",
        "<br/>",
        "200 OK",
        "+PONG",
        "a.",
        "\xff",
        "Grüße",
        "",
    ],
)
def test_data(start):
    assert not is_prompt(start.encode("latin-1"))


@pytest.mark.parametrize("start", ["Password: ", "PIN>", "Mot de passe :"])
@pytest.mark.parametrize("mask", ["", "*", "*" * 100, "\u2022" * 3])
def test_what_asks_for_a_secret(start, mask):
    assert asks_for_secret(f"{start}{mask}".encode())


@pytest.mark.parametrize("start", ["Reset password (y/n)?", "passing: ", "Your secret: x. Name:"])
def test_what_asks_for_no_secret(start):
    assert not asks_for_secret(start.encode())
