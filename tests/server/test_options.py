"""The options of `twistd echo`: what is none of them, and their help."""

from __future__ import annotations

import pytest

from echoproto.server.options import Options
from echoproto.server.settings import Settings, declarations
from support import BIN, run


def settings(*arguments):
    options = Options()
    options.parseOptions(arguments)
    return options.settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nosuch"], "option --nosuch not recognized"),
        (["-z"], "option -z not recognized"),
        (["--mode"], "option --mode requires argument"),
        (["--log-lines=yes"], "option --log-lines must not have an argument"),
        (["7"], "unexpected argument '7': echo takes only options"),
        (["-m", "line", "more"], "unexpected argument 'more': echo takes only options"),
    ],
)
def test_what_is_no_option_is_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        settings(*arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"twistd echo: {message}\n"


def test_what_was_given_to_one_does_not_reach_another():
    settings("-l", "tcp:0", "--log-lines")
    assert settings() == Settings()


def test_the_help_has_every_setting_with_its_letter_default_and_help():
    done = run(BIN / "twistd", "echo", "--help")
    assert done.returncode == 0
    words = " ".join(done.stdout.decode().split())
    for name, default, about in declarations():
        option = f"--{name.replace('_', '-')}"
        assert f"-{about.letter}, {option}=" in words if about.letter else option in words
        assert about.help in words
        if about.one_of:
            assert f"{about.help} [default: {default}]" in words
