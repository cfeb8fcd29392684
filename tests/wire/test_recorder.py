r"""The recorder: what it writes is what a person would write, and is read as the same bytes."""

from __future__ import annotations

from itertools import groupby
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.framing import LINE_ENDS
from echoproto.wire.recorder import MAX_LINE, Recorder
from echoproto.wire.session_entries import ExpectClose, ExpectData, HalfClose, Send
from echoproto.wire.session_file import parse
from echoproto.wire.session_text import fill
from echoproto.wire.telnet.commands import Command


def lines_of(text):
    """The lines of a recorded text that are about the connection."""
    return [line for line in text.splitlines() if line and not line.startswith("@")]


def read_back(text, values=None):
    """The entries of the file, with the data of each direction joined while it lasts."""
    entries = parse(text.encode(), "x").entries
    steps = [
        (type(entry), fill(entry.data, values or {}) if hasattr(entry, "data") else b"")
        for entry in entries
    ]
    return [
        (kind, b"".join(data for _, data in run)) for kind, run in groupby(steps, lambda s: s[0])
    ]


def record(recorder, steps):
    return (
        recorder.header()
        + "".join(getattr(recorder, verb)(data, 0.0) for verb, data in steps)
        + recorder.flush()
    )


def test_a_session_is_written_as_a_person_would_write_it():
    recorder = Recorder(target="tcp://localhost:25", telnet="auto", began=100.0)
    text = recorder.header("a session of SMTP")
    text += recorder.received(b"220 hi\r\n", 100.003)
    text += recorder.sent(b"EHLO me\r\n", 101.2)
    text += recorder.received(b"250-a\r\n250 b\r\n", 101.201)
    text += recorder.sent(b"QUIT\r\n", 102.0)
    text += recorder.sent_eof(102.0)
    text += recorder.received(b"221 bye \r\n", 102.5)
    text += recorder.received_eof(105.0)
    assert text == dedent(r"""
        # echoproto session 1
        # a session of SMTP
        target tcp://localhost:25
        telnet auto
        eol crlf

        @ 0.003
        < 220 hi

        @ 1.200
        > EHLO me
        @ 1.201
        < 250-a
        < 250 b

        @ 2.000
        > QUIT
        >! half-close
        @ 2.500
        < 221 bye\x20
        @ 5.000
        <! close
        """).lstrip()  # fmt: skip


def test_the_first_line_of_each_direction_sets_the_line_end():
    recorder = Recorder()
    text = record(recorder, [("sent", b"a\n"), ("received", b"b\n"), ("received", b"c\r\n")])
    assert lines_of(text)[2:] == ["eol > lf", "> a", "eol < lf", "< b", r"< c\r"]
    assert read_back(text) == [(Send, b"a\n"), (ExpectData, b"b\nc\r\n")]


def test_a_prompt_is_a_line_without_an_end():
    recorder = Recorder()
    steps = [("received", b"log"), ("received", b"in: "), ("sent", b"me\r\n"), ("received", b"$ ")]
    assert lines_of(record(recorder, steps))[2:] == ["< login: \\", "> me", "< $ \\"]


def test_a_long_line_is_written_in_pieces_between_characters():
    data = b"x" + "ü".encode() * MAX_LINE + b"\r\n"
    text = record(Recorder(), [("sent", data)])
    assert max(len(line.encode()) for line in text.splitlines()) <= MAX_LINE + len("> \\")
    assert "\\x" not in text
    assert read_back(text) == [(Send, data)]


PIECES = [b"a", b" ", b"\r", b"\n", b"\0", b"\\", b"${x}", b"\xc3\xa9"]
RUNS = st.lists(
    st.tuples(
        st.sampled_from(["sent", "received"]),
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.lists(st.sampled_from(PIECES), min_size=1).map(b"".join),
            st.integers(0, 5).map(lambda n: b"y" * (MAX_LINE - 2 + n) + b"\r\n"),
        ),
    )
)  # fmt: skip


@given(RUNS, st.sampled_from([*LINE_ENDS.values()]))
def test_whatever_is_recorded_is_read_as_the_same_bytes(steps, line_end):
    text = record(Recorder(line_end=line_end), steps)
    kinds = {"sent": Send, "received": ExpectData}
    expected = [
        (kinds[verb], b"".join(data for _, data in run))
        for verb, run in groupby(steps, lambda s: s[0])
    ]
    assert read_back(text) == expected
    assert text.replace("\n", "").isprintable() or not text.isascii()


@given(RUNS, st.data())
def test_the_lines_do_not_depend_on_how_the_data_is_cut(steps, data):
    cut = []
    for verb, piece in steps:
        at = data.draw(st.integers(0, len(piece)))
        cut += [(verb, piece[:at]), (verb, piece[at:])]
    assert record(Recorder(), cut) == record(Recorder(), steps)


def test_a_pause_has_a_time():
    recorder = Recorder()
    text = recorder.received(b"a\r\nb", 1.0) + recorder.received(b"\r\n", 1.5)
    text += recorder.received(b"c\r\n", 4.0)
    assert text == "\n@ 1.000\n< a\n< b\n@ 4.000\n< c\n"
    text = recorder.received(b"d", 4.5) + recorder.received(b"\r\ne", 9.0)
    assert text + recorder.flush() == "< d\n@ 9.000\n< e\\\n"


def test_a_secret_is_a_variable_wherever_it_appears():
    recorder = Recorder()
    text = recorder.header() + recorder.received(b"Password: ", 0.0)
    text += recorder.sent(b"hunter22\r\n", 1.0, secret=True)
    text += recorder.received(b"hunter22\r\nyou said hunter22!\r\n", 1.0)
    text += recorder.sent(b"x hunter22\r\n", 1.0)
    text += recorder.sent(b"123\r\n", 1.0, secret=True)
    text += recorder.received(b"123\r\n1234\r\n", 1.0)
    text += recorder.sent(b"hunter22\n", 1.0, secret=True)
    assert "hunter22" not in text
    assert lines_of(text)[2:] == [
        "< Password: \\",
        "> ${secret}",
        "< ${secret}",
        "< you said ${secret}!",
        "> x ${secret}",
        "> ${secret2}",
        "< ${secret2}",
        "< 1234",
        "> ${secret}\\n\\",
    ]
    values = {"secret": b"hunter22", "secret2": b"123"}
    assert read_back(text, values)[-1] == (Send, b"hunter22\n")


def test_a_secret_that_is_typed_key_by_key_is_one_line_and_its_echo_is_left_out():
    recorder = Recorder()
    text = ""
    for key in (b"p", b"i", b"n", b"s", b"\r"):
        text += recorder.sent(key, 0.0, secret=True) + recorder.received(b"*", 0.0)
    text += recorder.received(b"\r\nok\r\n", 0.0)
    assert lines_of(text) == ["> ${secret}\\r\\", "<*", "< *", "< ok"]


def test_a_short_secret_is_left_out_whatever_its_line_end_is():
    recorder = Recorder()
    text = recorder.sent(b"123\r", 0.0, secret=True) + recorder.received(b"123\n", 0.0)
    text += recorder.sent(b"\r\n", 0.0, secret=True)
    assert lines_of(text) == ["> ${secret}\\r\\", "eol < lf", "< ${secret}", ">"]


def test_a_secret_without_a_line_end_is_written_at_the_end():
    recorder = Recorder()
    assert recorder.sent(b"pass", 0.0, secret=True) == ""
    assert lines_of(recorder.received_eof(0.0)) == ["> ${secret}\\", "<! close"]


def test_commands_ends_and_comments_are_lines_and_end_the_line_before():
    recorder = Recorder()
    text = recorder.header() + recorder.received(b"login: ", 0.0)
    text += recorder.command(Command.AYT, 0.0) + recorder.comment("WILL ECHO\x1b")
    text += recorder.command(Command.SB, 0.0) + recorder.sent_eof(0.0) + recorder.received_eof(0.0)
    assert lines_of(text)[2:] == [
        "< login: \\",
        ">! AYT",
        r"# WILL ECHO\x1b",
        "# telnet command 250 was sent",
        ">! half-close",
        "<! close",
    ]
    assert [type(entry) for entry in parse(text.encode(), "x").entries][-2:] == [
        HalfClose,
        ExpectClose,
    ]
