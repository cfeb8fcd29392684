"""What the shell says about telnet: each option in words."""

from __future__ import annotations

import pytest

from echoproto.client.telnet import FOR_PERSON, FOR_PIPE
from echoproto.shell.commands import HELP, SENDABLE, describe_options
from echoproto.wire.telnet import Command, Option, Side, TelnetCodec

SAYS = {Side.US: Command.DO, Side.HIM: Command.WILL}
STOPS = {Side.US: Command.DONT, Side.HIM: Command.WONT}


def codec_that_heard(*commands, mode="always"):
    codec = TelnetCodec(FOR_PERSON, mode=mode, terminal_type="dumb", window_size=(80, 24))
    for command, option in commands:
        codec.feed(bytes([Command.IAC, command, option]))
    list(codec.events())
    return codec


@pytest.mark.parametrize(
    ("side", "option"),
    [(side, option) for side in Side for option in sorted(FOR_PERSON.of(side))],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_option_that_can_be_agreed_on_has_words(side, option):
    lines = describe_options(codec_that_heard((SAYS[side], option)))
    assert len(lines) == 2
    (line,) = [line for line in lines if "no options" not in line]
    assert line.startswith({Side.US: "This shell ", Side.HIM: "The server "}[side])
    assert line.endswith(f" ({Option(option).name}).")
    assert "{" not in line


def test_all_options_together_are_a_line_each_the_servers_first():
    agreed = [(SAYS[side], option) for side in Side for option in FOR_PERSON.of(side)]
    lines = describe_options(codec_that_heard(*agreed))
    assert lines == [
        "The server sends 8-bit data as it is (BINARY).",
        "The server echoes what is typed, so that it is hidden here (ECHO).",
        "The server sends no go-ahead (SGA).",
        "This shell sends 8-bit data as it is (BINARY).",
        "This shell sends no go-ahead (SGA).",
        "This shell tells its terminal type, dumb (TTYPE).",
        "This shell tells its window size, 80x24 (NAWS).",
    ]


def test_whatever_a_server_proposes_there_are_words_for_what_comes_of_it():
    everything = [(says, option) for says in SAYS.values() for option in range(256)]
    lines = describe_options(codec_that_heard(*everything))
    assert len(lines) == len(FOR_PERSON.us) + len(FOR_PERSON.him)


def test_a_pipe_agrees_to_nothing_that_has_no_words():
    assert FOR_PIPE.us <= FOR_PERSON.us
    assert FOR_PIPE.him <= FOR_PERSON.him


def test_the_window_size_is_the_present_one():
    codec = codec_that_heard((Command.DO, Option.NAWS))
    codec.resize(100, 50)
    assert describe_options(codec)[-1] == "This shell tells its window size, 100x50 (NAWS)."


def test_where_nothing_is_agreed_on_that_is_said():
    nothing = ["The server: no options.", "This shell: no options."]
    assert describe_options(codec_that_heard()) == nothing
    for side in Side:
        codec = codec_that_heard((SAYS[side], Option.SGA), (STOPS[side], Option.SGA))
        assert describe_options(codec) == nothing


def test_what_is_no_telnet_says_so():
    codec = codec_that_heard(mode="auto")
    assert describe_options(codec) == ["Not telnet: the server has shown none."]
    codec.feed(b"\xff\x80")
    list(codec.events())
    assert describe_options(codec) == ["Not telnet, and never will be."]
    assert describe_options(codec_that_heard(mode="never")) == ["Not telnet, and never will be."]


def test_every_command_that_can_be_sent_is_in_the_help():
    assert [name for name in SENDABLE if name not in HELP] == []
    assert all(Command[name.upper()] is command for name, command in SENDABLE.items())
