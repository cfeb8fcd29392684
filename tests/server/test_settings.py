"""The settings: each has its option, its default, its help, and what is wrong for it."""

from __future__ import annotations

import pytest

from echoproto.server.listener import endpoint_strings
from echoproto.server.options import Options
from echoproto.server.settings import DEFAULT_PORT, Settings, declarations


def settings(*arguments):
    options = Options()
    options.parseOptions(arguments)
    return options.settings


CASES = {
    "listen": [
        (["--listen", "tcp:0"], ("tcp:0",)),
        (["-l", "tcp:0", "--listen=unix:/a", "-lunix:/b"], ("tcp:0", "unix:/a", "unix:/b")),
        (["-l", "7"], endpoint_strings("7")),
    ],
    "mode": [
        (["--mode", "line"], "line"),
        (["-m", "line"], "line"),
        (["-m", "line", "-m", "stream"], "stream"),
    ],
    "telnet": [
        (["--telnet", "always"], "always"),
        (["-t", "never"], "never"),
        (["-t", "never", "-t", "auto"], "auto"),
    ],
    "log_lines": [(["--log-lines"], True)],
    "socket_buffer": [
        (["--socket-buffer", "0"], 0),
        (["--socket-buffer", "8192"], 8192),
        (["--socket-buffer=1073741824"], 1 << 30),
    ],
}
WRONG = {
    "listen": [("nonsense", "give PORT, HOST:PORT, "), ("65536", "a port is at most 65535")],
    "mode": [("loud", "give stream or line"), ("", "give stream or line")],
    "telnet": [("maybe", "give auto, always or never"), ("AUTO", "give auto, always or never")],
    "log_lines": [],
    "socket_buffer": [
        (text, "give a number of bytes from 8192 to 1073741824, or 0 for the system's own")
        for text in [
            "",
            "x",
            "-1",
            "8191",
            "1073741825",
            "64K",
            "1e6",
            "\N{SUPERSCRIPT TWO}",
            "9" * 99,
        ]
    ],
}
NAMES = [name for name, _, _ in declarations()]


def test_every_setting_is_tested_here():
    assert NAMES == list(CASES) == list(WRONG)


def test_with_no_option_every_setting_has_its_default():
    assert settings() == Settings()
    assert {name: default for name, default, _ in declarations()} == vars(Settings())
    assert Settings().endpoints == endpoint_strings(str(DEFAULT_PORT))


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [(name, *case) for name, cases in CASES.items() for case in cases],
)
def test_an_option_sets_its_setting_and_no_other(name, arguments, value):
    assert settings(*arguments) == Settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [(name, *case) for name, cases in WRONG.items() for case in cases],
)
@pytest.mark.parametrize("letter", [False, True])
def test_a_wrong_value_is_one_line_and_status_2(name, text, message, letter, capsys):
    about = next(about for each, _, about in declarations() if each == name)
    option = f"--{name.replace('_', '-')}"
    given = f"-{about.letter}" if letter and about.letter else option
    with pytest.raises(SystemExit) as ended:
        settings(given, text)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"twistd echo: {option} {text or repr(text)}: {message}")
    assert err.count("\n") == 1
