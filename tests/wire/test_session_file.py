"""The format of session files: what each line means, and what is said about a wrong one."""

from __future__ import annotations

import re
from dataclasses import astuple
from pathlib import Path
from textwrap import dedent

import pytest

from echoproto.errors import SessionFileError
from echoproto.wire.framing import LINE_ENDS
from echoproto.wire.session_entries import (
    Anything,
    ExpectClose,
    ExpectData,
    ExpectMatch,
    HalfClose,
    Send,
    SendCommand,
)
from echoproto.wire.session_file import _LINES, COMMANDS, parse
from echoproto.wire.session_text import Variable
from echoproto.wire.telnet.commands import Command

FIRST = "# echoproto session 1\n"

ALL_WORDS = "a line begins with #, >, <, <~, <*, >!, <!, @, eol, set, target, telnet, timeout"


def entries_of(text):
    """The entries of a file without the fields that are the same for all."""
    return [(type(entry), *astuple(entry)[4:]) for entry in read(text).entries]


def read(text):
    return parse((FIRST + text).encode(), "a.session")


def test_each_line_means_what_a_person_would_expect():
    assert entries_of("""
# a comment
> hello

< hello world
<
>
<*
<~ (\\d+) ok
>! ayt
>! half-close
<! close
""") == [
        (Send, (b"hello\r\n",)),
        (ExpectData, None, (b"hello world\r\n",)),
        (ExpectData, None, (b"\r\n",)),
        (Send, (b"\r\n",)),
        (Anything,),
        (ExpectMatch, None, (r"(\d+) ok",), False),
        (SendCommand, Command.AYT),
        (HalfClose,),
        (ExpectClose, None),
    ]


def test_blanks_and_all_characters_of_a_line_count():
    assert entries_of(">   a \tb#\n> grüße ${n}") == [
        (Send, (b"  a \tb#\r\n",)),
        (Send, ("grüße ".encode(), Variable("n"), b"\r\n")),
    ]


def test_a_backslash_at_the_end_adds_no_line_end():
    assert entries_of("< login: \\\n> a\\\\\n> b\\n\\\n<~ .*> \\") == [
        (ExpectData, None, (b"login: ",)),
        (Send, (b"a\\\r\n",)),
        (Send, (b"b\n",)),
        (ExpectMatch, None, (".*> ",), True),
    ]


@pytest.mark.parametrize(("name", "line_end"), LINE_ENDS.items())
def test_the_usual_line_end_can_be_any_and_change(name, line_end):
    assert entries_of(f"eol {name}\n> a\neol > lf\n> b\n< c\neol crlf\n< d") == [
        (Send, (b"a" + line_end,)),
        (Send, (b"b\n",)),
        (ExpectData, None, (b"c" + line_end,)),
        (ExpectData, None, (b"d\r\n",)),
    ]


def test_times_and_timeouts_hold_for_the_lines_after_them():
    entries = read("< a\n@ 1.5\ntimeout 3\n< b\n> c\ntimeout 0.5\n<~ d\n<! close").entries
    assert [entry.time for entry in entries] == [None, 1.5, 1.5, 1.5, 1.5]
    assert [getattr(entry, "timeout", "") for entry in entries] == [None, 3, "", 0.5, 0.5]
    assert [entry.line for entry in entries] == [2, 5, 6, 8, 9]
    assert entries[1].source == "< b"


def test_the_file_says_what_to_connect_to_and_which_values_variables_have():
    session = read("target tls://localhost:1\ntelnet never\nset user al\\x20ice\n> ${user}")
    assert (session.name, session.target, session.telnet) == (
        "a.session", "tls://localhost:1", "never",
    )  # fmt: skip
    assert session.variables == {"user": b"al ice"}
    assert read("").telnet is None


def test_a_file_may_have_crlf_and_a_byte_order_mark():
    data = b"\xef\xbb\xbf" + FIRST.replace("\n", "\r\n").encode() + b"> a\r\n\r\n< b\\\r\n"
    assert [entry.data for entry in parse(data, "x").entries] == [(b"a\r\n",), (b"b",)]


def test_a_line_may_be_long():
    assert entries_of("> " + "x" * 1_000_000) == [(Send, (b"x" * 1_000_000 + b"\r\n",))]


def test_every_telnet_command_but_those_of_negotiations_can_be_sent():
    assert {*COMMANDS} >= {"AYT", "BRK", "IP", "EOF", "GA", "NOP"}
    assert not {*COMMANDS} & {"WILL", "SB", "IAC"}


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b"", "x:1: not a session file: the first line must be '# echoproto session 1'"),
        (b"> hello", "x:1: not a session file: the first line must be"),
        (b"# echoproto session 1.5", "x:1: session files of version 1.5 are not known, only of 1"),
        (b"# echoproto session 2", "x:1: session files of version 2 are not known, only of 1"),
        (b"\x7fELF\0\1", "x:1: a control character: write \\x7f in a line of data"),
    ],
)
def test_a_file_of_another_version_or_of_none_is_refused(first, message):
    with pytest.raises(SessionFileError, match=f"^{re.escape(message)}"):
        parse(first, "x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (">hello", "a blank is missing: write '> hello'"),
        ("<~hello", "a blank is missing: write '<~ hello'"),
        ("@1", "a blank is missing: write '@ 1'"),
        (" > hello", "a blank before the line: begin with < or >"),
        (">\x85", r"a blank is missing: write '> \xc2\x85'"),
        ("timout 3", f"{ALL_WORDS}, not with 'timout'; did you mean timeout?"),
        ("timeout 0", "a timeout is more than 0 seconds"),
        ("timeout 1s", "timeout needs a number of seconds: write 'timeout 1.5', for example"),
        ("@ x", "@ needs a number of seconds"),
        ("> \\q", "\\q is not an escape"),
        ("< ${", "${ begins a variable"),
        ("<~", "<~ needs a regular expression"),
        ("<~ (", "the regular expression is not valid: missing ), unterminated subpattern"),
        ("<~ [[a]", "the regular expression is not valid: Possible nested set at position 1"),
        ("<* x", "<* stands alone"),
        (">! hallo", ">! sends one of half-close, ABORT, AO, AYT,"),
        ("<! GA", "the only event that can be expected is '<! close'"),
        ("eol crcr", "eol takes one of crlf, lf, cr, crnul, nul, none"),
        ("eol", "eol takes one of"),
        ("eol x lf", "eol takes one of"),
        ("set 1 x", "set needs a name and a value"),
        ("set a ${b}", "the value of a variable cannot contain another variable"),
        ("target", "target needs a target"),
        ("telnet maybe", "telnet takes one of auto, always, never"),
        ("> \x1b[2J", "a control character: write \\x1b in a line of data"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_what_would_be_right(line, message):
    with pytest.raises(SessionFileError, match=f"^a.session:3: {re.escape(message)}"):
        read(f"# comment\n{line}\n> more")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">! half-close\n> a", "3: nothing can be sent after '>! half-close'"),
        ("<! close\n<~ a", "3: nothing can come after '<! close'"),
        ("target a:1\ntarget b:1", "3: the file has a target already"),
        ("telnet auto\ntelnet auto", "3: the file has a telnet mode already"),
    ],
)
def test_lines_that_contradict_each_other_are_refused(text, message):
    with pytest.raises(SessionFileError, match=f"^a.session:{re.escape(message)}"):
        read(text)


def test_bytes_that_are_not_utf_8_are_named():
    with pytest.raises(SessionFileError, match=r"^x:2: byte ff is not UTF-8: write \\xff in a"):
        parse(FIRST.encode() + b"> \xff", "x")


@pytest.mark.parametrize("page", ["README.md", "docs/sessions.md"])
def test_the_examples_of_the_documents_are_session_files(page):
    text = (Path(__file__).parents[2] / page).read_text()
    blocks = [dedent(block) for block in re.findall(r"(?ms)^```\n(.*?)^```", text)]
    blocks += [dedent(block) for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)]
    examples = [block for block in blocks if block.startswith(FIRST)]
    assert examples
    for example in examples:
        assert parse(example.encode(), page).entries


def test_the_grammar_of_the_documents_names_every_kind_of_line():
    text = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text()
    grammar = text.partition("```abnf\n")[2].partition("```")[0]
    for word in _LINES:
        assert f'"{word}' in grammar, word
    table = {name for name in COMMANDS if f"`{name}`" in text}
    assert table == {*COMMANDS}
