"""The commands of the shell: what each does, what is said of a wrong one, help and completion."""

from __future__ import annotations

import os

import pytest

from echoproto.shell import upload
from echoproto.shell.commands import COMMANDS, describe_options
from echoproto.shell.key_help import describe_keys
from echoproto.wire.framing import LINE_ENDS
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import SHELL_POLICY, Option
from echoproto.wire.telnet.words import option_name
from in_shell import DO, ECHO, ENTER, NAWS, SB, SE, WILL, Recording, in_shell

SENDABLE = [
    *[("ayt", 246), ("brk", 243), ("ip", 244), ("eof", 236), ("abort", 238), ("ao", 245)],
    *[("ec", 247), ("el", 248), ("nop", 241), ("susp", 237)],
]
NAMES = list(COMMANDS)
THERE_IS = "Use help for a list."
ELSE = "Or give bytes in quotes."
CHOICES = "ayt, brk, ip, eof, abort, ao, ec, el, nop or susp"


def answer(text, shell=None):
    """What is printed after the command."""
    shell = shell or Recording()
    COMMANDS.run(shell.session, text)
    command, _, answer = shell.take_printed().partition("\n")
    assert command == f"echoproto> {text}"
    return answer


def test_the_commands_that_there_are_stay():
    assert {"send", "options", "help", "quit"} <= set(NAMES)


# Each command


@pytest.mark.parametrize(("name", "code"), SENDABLE)
def test_send_sends_a_telnet_command(name, code):
    shell = Recording(telnet="always")
    assert answer(f"send {name}", shell) == ""
    assert shell.sent() == bytes([255, code])


def test_options_lists_what_was_agreed():
    shell = Recording()
    assert answer("options", shell) == "The server has not negotiated telnet.\n"
    shell.say(WILL + ECHO)
    assert answer("options", shell) == (
        "The server echoes what you type (ECHO).\nThis shell has no options in effect.\n"
    )


@pytest.mark.parametrize("name", ["help", "?"])
def test_help_is_a_line_for_each_command(name):
    said = answer(name)
    assert said.startswith("""\
send COMMAND          send a telnet command, or bytes in quotes: "\\x00raw\\r\\n"
send-file FILE        send what is in a file, byte for byte; Ctrl-C stops it
""")
    assert said.endswith("""
quit                  end the shell, as Ctrl-D does
help NAME or NAME ? explains a command, with an example. F1 lists the keys.
A command, Enter alone, Ctrl-] or Ctrl-C returns to what you were typing.
""")


@pytest.mark.parametrize("text", ["help mode", "mode ?", "? mode"])
def test_help_explains_a_command_with_an_example(text):
    assert (
        answer(text)
        == """\
mode MODE
                      set how you type.
                      MODE is one of these:
  auto                as the server wants it
  line                a line at a time
  character           each key at once
Example:              mode line
"""
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("send", "COMMAND is bytes in quotes, with the escapes"),
        ("record", "FILE is the name of a new file, or one of these:"),
        ("open", "TARGET is HOST PORT, HOST:PORT,"),
    ],
)
def test_the_help_says_what_an_argument_can_be_besides_the_words_that_it_lists(name, words):
    assert words in answer(f"help {name}")


@pytest.mark.parametrize("name", NAMES)
def test_each_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mail.txt").touch()
    shell = Recording(telnet="always")
    said = answer(COMMANDS[name].example, shell)
    assert COMMANDS[name].example.split()[0] == name
    assert not said.startswith(("Unknown command", f"{name}: "))
    if name == "record":
        answer("record off", shell)


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_explained_within_80_columns(name):
    lines = answer(f"help {name}").splitlines()
    assert lines[0] == COMMANDS[name].usage
    assert lines[-1].split() == ["Example:", *COMMANDS[name].example.split()]
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("name", NAMES)
def test_tab_completes_each_word_of_each_example(name, tmp_path, monkeypatch):
    """Half of a word, completed, is that word or begins it."""
    monkeypatch.chdir(tmp_path)
    for file in ("mail.txt", "session.txt"):
        (tmp_path / file).touch()
    words = COMMANDS[name].example.split()
    for count, argument in enumerate(COMMANDS[name].arguments[: len(words) - 1], 1):
        if not (argument.choices or argument.complete("") != ()):
            continue
        before, word = " ".join(words[:count]), words[count]
        assert any(word.startswith(each) for each, _ in COMMANDS.complete(f"{before} {word[:1]}"))


def test_keys_lists_the_keys():
    assert answer("keys").splitlines() == describe_keys()


def test_pause_holds_the_output_and_lets_it_go_on():
    shell = Recording()
    assert answer("pause", shell) == (
        "Paused: nothing is received. F2 or the command pause lets it go on.\n"
    )
    assert shell.session.is_paused
    assert shell.prompt == "[paused] > "
    assert answer("pause", shell) == ""
    assert not shell.session.is_paused
    assert shell.prompt == "> "


def test_quit_quits():
    shell = Recording()
    assert answer("quit", shell) == ""
    assert shell.calls == ["quit"]


def test_each_command_is_in_the_help_once_and_fits_a_terminal():
    lines = answer("help").splitlines()
    for entry in COMMANDS.values():
        assert len([line for line in lines if line.startswith(f"{entry.usage} ")]) == 1
    assert max(map(len, lines)) < 80
    assert len(lines) == len(COMMANDS) + 2


@pytest.mark.parametrize("text", ["send ayt", r'send "x"', "send-file nosuch"])
def test_what_needs_a_connection_says_so_without_one(text):
    shell = Recording()
    shell.session.close()
    assert answer(text, shell) == "The shell is not connected.\n"


# Bytes and files


@pytest.mark.parametrize(
    ("telnet", "sent"), [("auto", b"\x00\xffraw"), ("always", b"\x00\xff\xffraw")]
)
def test_send_sends_bytes_as_they_are_without_a_line_end(telnet, sent):
    shell = Recording(telnet=telnet)
    assert answer(r'send "\x00\xffraw"', shell) == ""
    assert answer('send ""', shell) == ""
    assert shell.sent() == sent


def test_what_is_wrong_with_bytes_is_said_and_nothing_is_sent():
    shell = Recording()
    assert answer('send "x', shell) == 'send: "x: the quote at the end is missing\n'
    assert answer(r'send "\q"', shell).startswith(r"send: \q is not an escape")
    assert shell.sent() == b""


def test_send_file_sends_a_file_and_says_how_much_it_was(tmp_path):
    data = bytes(range(256)) * 1000
    (tmp_path / "my\x1bfile").write_bytes(data)
    shell = Recording()
    COMMANDS.run(shell.session, f'send-file "{tmp_path}/my\x1bfile"')
    shell.take_printed()
    assert shell.sent() == data
    assert shell.printed == f"256,000 bytes of {tmp_path}/my\\x1bfile were sent.\n"


def test_a_file_that_cannot_be_read_to_its_end_says_why(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x")
    shell = Recording()
    COMMANDS.run(shell.session, f"send-file {tmp_path}/file")
    shell.take_printed()
    monkeypatch.setattr(upload, "os", FailingReads())
    assert shell.sent() == b""
    assert shell.printed == (
        f"0 bytes of {tmp_path}/file were sent; then reading it failed: Input/output error.\n"
    )


class FailingReads:
    """The module `os`, on a disk that cannot be read."""

    close = staticmethod(os.close)

    @staticmethod
    def read(*_):
        raise OSError(5, "Input/output error")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "old").touch()
    assert answer(f"send-file {tmp_path}/nosuch") == (
        f"send-file: cannot read {tmp_path}/nosuch: No such file or directory.\n"
    )
    assert answer(f"send-file {tmp_path}") == (
        f"send-file: cannot read {tmp_path}: it is not a regular file.\n"
    )


def test_what_is_left_of_a_file_and_of_lines_when_they_are_stopped_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    shell = Recording()
    assert answer(f"send-file {tmp_path}/file", shell) == ""
    shell.session.send_bytes(b"line")
    shell.session.stop_sending()
    assert shell.printed == (
        f"Stopped: 1,000 of the 1,000 bytes of {tmp_path}/file were not sent.\n"
        "Stopped: the last line was not sent.\n"
    )
    assert shell.sent() == b""


# Line ends


def test_eol_sets_the_line_end_and_alone_says_it():
    shell = Recording()
    auto = "Lines are sent with CR LF at their end, which telnet may change (auto).\n"
    assert answer("eol", shell) == auto
    for name, line_end in LINE_ENDS.items():
        said = answer(f"eol {name}", shell)
        shell.session.type_lines(["x"])
        assert shell.take_printed() == "> x\n"
        assert answer("eol", shell) == said
        assert shell.session.line_end == line_end
    assert said == "Lines are sent without a line end.\n"
    assert answer("eol auto", shell) == auto
    shell.session.type_lines(["x"])
    assert shell.sent() == b"".join(b"x" + end for end in [*LINE_ENDS.values(), b"\r\n"])


# What is wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("snd ayt", f"Unknown command 'snd'; did you mean send? {THERE_IS}"),
        ("xyzzy", f"Unknown command 'xyzzy'. {THERE_IS}"),
        ("SEND ayt", f"Unknown command 'SEND'. {THERE_IS}"),
        ("a\x1b[2Jb", f"Unknown command 'a\\x1b[2Jb'. {THERE_IS}"),
        ("send", f"send: COMMAND is missing; use {CHOICES}. Example: send ayt"),
        ("send foo", f"send: unknown COMMAND 'foo'. Use {CHOICES}. {ELSE}"),
        ("send abrt", f"send: unknown COMMAND 'abrt'; did you mean abort? Use {CHOICES}. {ELSE}"),
        ("send ayt brk", "send: unexpected argument 'brk'; send takes one COMMAND."),
        ("options x", "options: unexpected argument 'x'; options takes no argument."),
        ("quit now please", "quit: unexpected argument 'now'; quit takes no argument."),
        ("help snd", f"help: Unknown command 'snd'; did you mean send? {THERE_IS}"),
        ("help send ayt", "help: unexpected argument 'ayt'; help takes one NAME."),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(text, said):
    shell = Recording(telnet="always")
    COMMANDS.run(shell.session, text)
    assert shell.take_printed().splitlines()[1:] == [said]
    assert shell.sent() == b""
    assert shell.calls == []


# Completion


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", NAMES),
        ("  ", NAMES),
        ("o", ["open", "options"]),
        ("x", []),
        ("send ", [name for name, _ in SENDABLE]),
        ("send a", ["ayt", "abort", "ao"]),
        ("send  ab", ["abort"]),
        ("send ayt ", []),
        ("options ", []),
        ("nosuch ", []),
    ],
)
def test_completion_is_from_the_table(text, words):
    assert [word for word, _ in COMMANDS.complete(text)] == words


def test_what_is_completed_comes_with_its_meaning():
    assert COMMANDS.complete("q") == [("quit", "end the shell, as Ctrl-D does")]
    assert COMMANDS.complete("send br") == [("brk", "break")]


# What `options` says

SAYS = {Side.LOCAL: Command.DO, Side.REMOTE: Command.WILL}
STOPS = {Side.LOCAL: Command.DONT, Side.REMOTE: Command.WONT}


def codec_that_heard(*said, mode="always"):
    codec = TelnetCodec(SHELL_POLICY, mode=mode, terminal_type="dumb", window_size=(80, 24))
    for command, option in said:
        list(codec.receive(bytes([Command.IAC, command, option])))
    return codec


@pytest.mark.parametrize(
    ("side", "option"),
    [(side, option) for side in Side for option in sorted(SHELL_POLICY.of(side))],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_option_that_can_be_agreed_on_has_words(side, option):
    lines = describe_options(codec_that_heard((SAYS[side], option)))
    assert len(lines) == 2
    (line,) = [line for line in lines if "no options" not in line]
    assert line.startswith({Side.LOCAL: "This shell ", Side.REMOTE: "The server "}[side])
    assert line.endswith(f" ({option_name(option)}).")
    assert "{" not in line


def test_all_options_together_are_a_line_each_the_servers_first():
    agreed = [(SAYS[side], option) for side in Side for option in SHELL_POLICY.of(side)]
    lines = describe_options(codec_that_heard(*agreed))
    assert lines == [
        "The server sends 8-bit data unchanged (BINARY).",
        "The server echoes what you type (ECHO).",
        "The server sends no go-ahead (SGA).",
        "The server marks the end of each prompt (END-OF-RECORD).",
        "The server offers character sets (CHARSET).",
        "This shell sends 8-bit data unchanged (BINARY).",
        "This shell sends no go-ahead (SGA).",
        "This shell sends its terminal type, dumb (TTYPE).",
        "This shell sends its window size, 80x24 (NAWS).",
        "This shell chooses a character set (CHARSET).",
    ]


def test_whatever_a_server_proposes_there_are_words_for_what_comes_of_it():
    everything = [(says, option) for says in SAYS.values() for option in range(256)]
    lines = describe_options(codec_that_heard(*everything))
    assert len(lines) == len(SHELL_POLICY.local) + len(SHELL_POLICY.remote)


def test_the_window_size_is_the_present_one():
    codec = codec_that_heard((Command.DO, Option.NAWS))
    codec.resize(100, 50)
    assert describe_options(codec)[-1] == "This shell sends its window size, 100x50 (NAWS)."


def test_where_nothing_is_agreed_on_that_is_said():
    nothing = ["The server has no options in effect.", "This shell has no options in effect."]
    assert describe_options(codec_that_heard()) == nothing
    for side in Side:
        codec = codec_that_heard((SAYS[side], Option.SGA), (STOPS[side], Option.SGA))
        assert describe_options(codec) == nothing


def test_what_is_no_telnet_says_so():
    codec = codec_that_heard(mode="auto")
    assert describe_options(codec) == ["The server has not negotiated telnet."]
    list(codec.receive(b"\xff\x80"))
    assert describe_options(codec) == ["This connection is not telnet."]
    assert describe_options(codec_that_heard(mode="never")) == ["This connection is not telnet."]


# Typed, on a real connection


def test_commands_typed_in_the_shell():
    size = SB + NAWS + b"\0\x50\0\x18" + SE

    async def script(type_, peer, screen):
        type_("\x1dsnd ayt" + ENTER)
        await screen.shows("Unknown command 'snd'; did you mean send?")
        type_("\x1doptions" + ENTER)
        await screen.shows("The server has not negotiated telnet.")
        await peer.say(WILL + ECHO + DO + NAWS)
        await peer.has_received(size)
        type_("\x1doptions" + ENTER)
        await screen.shows("This shell sends its window size, 80x24 (NAWS).")

    received, shown = in_shell(script)
    assert "The server echoes what you type (ECHO).\r\n" in shown.text
    assert received == DO + ECHO + WILL + NAWS + size
