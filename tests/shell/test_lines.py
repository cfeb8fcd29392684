"""What the peer sends, as lines: each byte as itself, or as on a terminal."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from echoproto.shell.lines import MAX_LINE, PlainLines, TerminalLines
from echoproto.shell.row import MAX_BEYOND_END, runs_of
from echoproto.shell.sequences import MAX_SEQUENCE
from echoproto.shell.view import show, show_lines

KINDS = pytest.mark.parametrize("kind", [PlainLines, TerminalLines])


def lines_of(data, kind=TerminalLines):
    """The lines of `data`, and last the start of the one that has no end."""
    lines = kind()
    return [*lines.feed(data), lines.take()]


def shown(data):
    return "".join(text for _, text in show(data))


def acts(text):
    """The characters of `text` that would act on a terminal."""
    kinds = [(char, unicodedata.category(char)) for char in text if char not in "\u200c\u200d"]
    return [char for char, kind in kinds if kind[0] == "C" or kind in ("Zl", "Zp")]


# Both


@KINDS
def test_a_line_comes_when_its_end_has_come(kind):
    lines = kind()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.start == b"tw"
    assert lines.feed(b"o\r\n\nlogin: ") == [b"two", b""]
    assert lines.start == b"login: "
    assert lines.feed(b"") == []
    assert lines.start == b"login: "


@KINDS
def test_a_start_that_is_taken_is_no_part_of_the_line_after_it(kind):
    lines = kind()
    assert lines.feed(b"login: ") == []
    assert lines.take() == b"login: "
    assert lines.start == lines.take() == b""
    assert lines.feed(b"me\nnext") == [b"me"]
    assert lines.take() == b"next"


@KINDS
@given(data=st.lists(st.sampled_from([b"\r\n", b"\n", b"a", b"b ", "日".encode(), b"\xff\xe6"])))
def test_text_comes_as_it_is(kind, data):
    data = b"".join(data)
    assert lines_of(data + b"\n", kind) == [*re.split(rb"\r?\n", data), b""]


# Each byte as itself


def test_plain_lines_end_as_lines_of_any_protocol_do():
    assert lines_of(b"a\nb\r\nc\rd\r\0e", PlainLines) == [b"a", b"b", b"c", b"d", b"e"]


def test_plain_lines_keep_every_byte():
    data = bytes(set(range(256)) - set(b"\r\n"))
    assert lines_of(data + b"\n" + data, PlainLines) == [data, data]


def test_a_plain_line_that_is_too_long_comes_in_pieces():
    data = bytes(range(32, 127)) * (3_000_000 // 95)
    lines = PlainLines()
    pieces = [
        piece for at in range(0, len(data), 65536) for piece in lines.feed(data[at : at + 65536])
    ]
    assert pieces
    assert all(MAX_LINE <= len(piece) <= MAX_LINE + 65536 for piece in pieces)
    assert lines.feed(b"end\nnext\n")[1:] == [b"next"]
    assert b"".join(pieces) == data[: len(b"".join(pieces))]


def test_of_a_plain_line_that_is_too_long_nothing_is_lost():
    data = bytes(range(32, 127)) * (3_000_000 // 95)
    lines = PlainLines()
    pieces = [
        piece for at in range(0, len(data), 65536) for piece in lines.feed(data[at : at + 65536])
    ]
    pieces += lines.feed(b"end\nnext")
    assert b"".join(pieces) == data + b"end"
    assert lines.take() == b"next"


# As on a terminal


@pytest.mark.parametrize(
    ("written", "line"),
    [
        # CR, BS, tabs
        (b"abc\rx", b"xbc"),
        (b"abc\r", b"abc"),
        (b"abc\r\r\rxyz", b"xyz"),
        (b"10%\r20%\r100%", b"100%"),
        (b"abc\b\bx", b"axc"),
        (b"abc\b \b", b"ab "),
        (b"a\b\b\b\bx", b"x"),
        (b"a\tb", b"a       b"),
        (b"\tb", b"        b"),
        (b"1234567\tb", b"1234567 b"),
        (b"12345678\tb", b"12345678        b"),
        (b"a\t", b"a       "),
        (b"abcdefghij\r\tx", b"abcdefghxj"),
        # nothing to see
        (b"a\0b\0", b"ab"),
        (b"\aa\a", b"a"),
        # the cursor: right, left, to a column
        (b"a\x1b[Cb", b"a b"),
        (b"a\x1b[0Cb", b"a b"),
        (b"a\x1b[3Cb", b"a   b"),
        (b"login:\x1b[6D\x1b[7C", b"login: "),
        (b"abc\x1b[Dx", b"abx"),
        (b"abc\x1b[2Dx", b"axc"),
        (b"abc\x1b[99Dx", b"xbc"),
        (b"abc\x1b[Gx", b"xbc"),
        (b"abc\x1b[2Gx", b"axc"),
        (b"abc\x1b[6Gx", b"abc  x"),
        # H and f also go to a row, E and F to the next and the previous one: it stays this one
        (b"abc\x1b[Hx", b"xbc"),
        (b"abc\x1b[7;2Hx", b"axc"),
        (b"abc\x1b[7;Hx", b"xbc"),
        (b"abc\x1b[;6fx", b"abc  x"),
        (b"abc\x1b[Ex", b"xbc"),
        (b"abc\x1b[2Fx", b"xbc"),
        (b"abc\x1b[2`x", b"axc"),
        (b"a\x1b[3ab", b"a   b"),
        # insert blanks, and characters; erase in place
        (b"abc\x1b[2D\x1b[@x", b"axbc"),
        (b"abc\x1b[2D\x1b[2@", b"a  bc"),
        (b"abc\x1b[@", b"abc"),
        (b"abc\x1b[4h\x1b[2Dxy\x1b[4l\x1b[Hz", b"zxybc"),
        (b"abc\x1b[4h\x1bc\rx", b"xbc"),
        (b"abc\x1b[4;20h\rx", b"xabc"),
        (b"abc\x1b[24h\rx", b"xbc"),
        (b"abcd\x1b[3D\x1b[X", b"a cd"),
        (b"abcd\x1b[3D\x1b[2X", b"a  d"),
        (b"abcd\x1b[3D\x1b[99X", b"a   "),
        (b"abc\x1b[2C\x1b[X", b"abc  "),
        # erase: to the end, to the start, all; J as K
        (b"abc\x1b[2D\x1b[K", b"a"),
        (b"abc\x1b[2D\x1b[0K", b"a"),
        (b"abcd\x1b[2D\x1b[1K", b"   d"),  # up to the cursor, and with it
        (b"abc\x1b[2K", b"   "),
        (b"abc\r\x1b[2K", b""),
        (b"abc\r\x1b[J", b""),
        (b"abc\x1b[2Jx", b"   x"),
        # delete
        (b"abcde\r\x1b[P", b"bcde"),
        (b"abcde\r\x1b[2P", b"cde"),
        (b"abcde\x1b[4D\x1b[99P", b"a"),
        (b"abc\x1b[5P", b"abc"),
        # wide characters
        ("日本\bx".encode(), "日 x".encode()),
        ("日本\x1b[2Dx".encode(), "日x ".encode()),
        ("日本\ra".encode(), "a 本".encode()),
        ("日本\rab".encode(), "ab本".encode()),
        ("日本\x1b[3Dx".encode(), " x本".encode()),
        ("ab\r日".encode(), "日".encode()),
        ("abc\r日".encode(), "日c".encode()),
        ("日\r\x1b[2Cx".encode(), "日x".encode()),
        ("日\x1b[5Gx".encode(), "日  x".encode()),
        ("日\tx".encode(), "日      x".encode()),
        ("日本\x1b[3D\x1b[@".encode(), "   本".encode()),
        ("日本\x1b[4D\x1b[X".encode(), "  本".encode()),
        ("a日\x1b[4h\ré".encode(), "éa日".encode()),
        # an accent has no width of its own
        ("e\u0301\x1b[Dx".encode(), b"x"),
        ("e\u0301\r\x1b[Cx".encode(), "e\u0301x".encode()),
    ],
)
def test_a_line_is_what_it_would_be_on_a_terminal(written, line):
    lines = TerminalLines()
    assert lines.feed(written) == []
    assert lines.start == line
    assert lines.take() == line


@pytest.mark.parametrize(
    "sequence",
    [
        b"\x1b[31m", b"\x1b[0m", b"\x1b[m", b"\x1b[1;31;42m", b"\x1b[38:2::1:2:3m",
        b"\x1b[?25h", b"\x1b[?7h", b"\x1b[?2004h", b"\x1b[>c", b"\x1b[c", b"\x1b[6n", b"\x1b[!p",
        b"\x1b[1;24r", b"\x1b[A", b"\x1b[5B", b"\x1b[s", b"\x1b[u", b"\x1b[2 q",
        b"\x1b]0;title\x07", b"\x1b]0;title\x1b\\", b"\x1b]8;;http://x/\x1b\\",
        b"\x1b]52;c;eA==\x07",
        b"\x1bPq#0\x1b\\", b"\x1b_x\x1b\\", b"\x1b^x\x1b\\", b"\x1bXx\x1b\\", b"\x1b]\x07",
        b"\x1b7", b"\x1b8", b"\x1bc", b"\x1b=", b"\x1b>", b"\x1b(B", b"\x1b)0", b"\x1b#8", b"\x1bM",
        b"\x1b\\", b"\x1bD", b"\x1b%G", "\x1b]0;日\x07".encode(), b"\x1b]0;\xff\x07",
    ],
)  # fmt: skip
def test_other_sequences_are_as_if_they_were_not_there(sequence):
    for before, after in (
        (b"abc", b"def"),
        (b"", b""),
        (b"x", b"\n"),
        (b"ab\b", b"c"),
        (b"1", b"m"),
    ):
        assert lines_of(before + sequence + after) == lines_of(before + after)


@pytest.mark.parametrize(
    "sequence", [b"\x1b[2 D", b"\x1b[1 P", b"\x1b[?2C", b"\x1b[>1K", b"\x1b[?5G"]
)
def test_a_sequence_with_a_private_or_an_intermediate_byte_is_another(sequence):
    assert lines_of(b"abc" + sequence + b"def") == [b"abcdef"]


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (b"a\x1b\x01b", b"a\x1b\x01b"),
        (b"a\x1b\x1b[31mb", b"a\x1bb"),
        (b"a\x1b[31\x01mb", b"a\x1b[31\x01mb"),
        (b"a\x1b]0;x\x1b[31mb", b"a\x1b]0;xb"),
        ("a\x1bé".encode(), "a\x1bé".encode()),
        (b"\x0b\x0c\x0e\x7f", b"\x0b\x0c\x0e\x7f"),
        (b"\xc2\x9b31m", b"\xc2\x9b31m"),
        (b"\x9b31m", b"\x9b31m"),
    ],
)
def test_what_is_no_sequence_is_there_to_be_shown(written, line):
    assert lines_of(written + b"\n") == [line, b""]
    assert not acts(shown(line))


def test_bytes_that_are_no_text_stay_bytes():
    data = b"\xff\xfe caf\xe9 \xe6\x97 \xed\xa0\x80 \xf8\x88\x80\x80\x80 \xc0\xaf."
    assert lines_of(data + b"\n" + data) == [data, data]


@pytest.mark.parametrize("start", [b"caf\xe9", b"\xe6\x97", b"\xf0\x9f\x98"])
def test_what_may_begin_a_character_is_not_lost_where_the_line_is_taken(start):
    lines = TerminalLines()
    lines.feed(start)
    assert lines.take() == start


def test_what_may_begin_a_sequence_is_not_lost_at_the_next_bytes():
    lines = TerminalLines()
    lines.feed(b"> \x1b")
    assert lines.take() == b"> "
    assert lines.feed(b"[31mred\x1b[0m\n") == [b"red"]


# Colours, and the cursor


def styled(*chunks):
    """The runs of each line, and last those of the start of the one that has no end."""
    lines = TerminalLines()
    ended = [line for chunk in chunks for line in lines.feed(chunk)]
    return [*map(runs_of, ended), runs_of(lines.take())]


def test_colours_are_the_styles_of_the_text_that_is_written_in_them():
    assert styled(b"a\x1b[1;31mb\x1b[0mc\n\x1b[32m") == [
        (("", b"a"), ("ansired bold", b"b"), ("", b"c")),
        (("", b""),),
    ]


def test_a_colour_continues_over_line_ends_and_over_a_start_that_is_taken():
    lines = TerminalLines()
    first, second = lines.feed(b"\x1b[31ma\nb\nlogin: ")
    assert (runs_of(first), runs_of(second)) == ((("ansired", b"a"),), (("ansired", b"b"),))
    assert runs_of(lines.take()) == (("ansired", b"login: "),)
    lines.feed(b"c\x1bcd")
    assert runs_of(lines.start) == (("ansired", b"c"), ("", b"d"))


def test_what_is_overwritten_and_erased_loses_its_style():
    assert styled(b"\x1b[31mabcd\x1b[0m\rx\x1b[2C\x1b[X") == [
        (("", b"x"), ("ansired", b"bc"), ("", b" "))
    ]
    assert styled(b"\x1b[7mab\x1b[3C\x1b[K") == [(("reverse", b"ab"), ("", b"   "))]


def test_plain_lines_have_no_colours():
    lines = PlainLines()
    (line,) = lines.feed(b"\x1b[31mred\nnext")
    assert type(line) is bytes
    assert line == b"\x1b[31mred"


@pytest.mark.parametrize(
    ("kind", "written", "cursor"),
    [
        (PlainLines, b"ab\nabc", 3),
        (PlainLines, "日\x07e\u0301".encode(), 4),
        (PlainLines, b"", 0),
        (TerminalLines, b"abc\x1b[2D", 1),
        (TerminalLines, "日本\b\b".encode(), 2),
        (TerminalLines, b"a\x1b[3C", 4),
        (TerminalLines, b"abc\n", 0),
    ],
)
def test_the_cursor_is_counted_in_cells(kind, written, cursor):
    lines = kind()
    lines.feed(written)
    assert lines.cursor == cursor


# However it is cut

PIECES = st.one_of(
    st.sampled_from([
        b"\x1b", b"\x1b[", b"\x1b[3", b"C", b"D", b"G", b"J", b"K", b"P", b"m", b"\x1b[C",
        b"\x1b[4D",
        b"\x1b[2G", b"\x1b[K", b"\x1b[1K", b"\x1b[2K", b"\x1b[J", b"\x1b[P", b"\x1b[2P", b"\x1b[9C",
        b"\x1b[31m", b"\x1b[m", b"\x1b[1;38:5:9m", b"@", b"X", b"H", b"\x1b[4h", b"\x1b[3@",
        b"\x1b[2X", b"\x1b[;5H", b"\x1bc",
        b"\x1b]0;", b"\x07", b"\x1b\\", b"\x1b]", b"\x1bP", b"\x1b(", b"B", b"7", b";",
        b"\r", b"\n", b"\r\n", b"\b", b"\t", b"\0", b"\r\0", b" ", b"text", b"\xff", b"\x9b",
        b"\x7f",
        b"\xc2\x9b", "日".encode(), b"\xe6", b"\x97\xa5", "é".encode(), "e\u0301".encode(),
        "\u202e".encode(), "\u200d".encode(), "👍🏽".encode(), "\u2028".encode(), b"\x1b[999999C",
    ]),
    st.binary(max_size=4),
)  # fmt: skip


def cut(data, places):
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@settings(max_examples=500)
@given(st.lists(PIECES).map(b"".join), st.lists(st.integers(0, 10_000)))
@example(b"\x1b]0;title\x1b\\x\x1b[31mred\x1b[0m \xe6\x97\xa5\r\n", [])
@example(b"a\t\n", [2])
@example(b"a\x1b[3C\r\n", [5])
@example(b"abc\b\n", [4])
@example(b"a\n\xe6", [1])
def test_however_it_is_cut_the_lines_are_the_same_and_act_on_no_terminal(data, places):
    whole, pieces, bytewise = TerminalLines(), TerminalLines(), TerminalLines()
    expected = whole.feed(data)
    of_pieces = [line for piece in cut(data, places) for line in pieces.feed(piece)]
    bytes_of = [line for byte in data for line in bytewise.feed(bytes([byte]))]
    assert [*map(runs_of, of_pieces)] == [*map(runs_of, bytes_of)] == [*map(runs_of, expected)]
    assert runs_of(pieces.start) == runs_of(bytewise.start) == runs_of(whole.start)
    assert pieces.cursor == bytewise.cursor == whole.cursor
    for line in [*expected, whole.start]:
        assert b"\n" not in line
        assert not acts(shown(line))
    text = "".join(text for _, text in show_lines([*expected, whole.start]))
    assert not acts(text.replace("\n", ""))
    assert text.count("\n") == len(expected) + 1
    assert whole.take() == pieces.take() == bytewise.take()


@pytest.mark.parametrize("start", [b"\x1b]0;", b"\x1bP", b"\x1b["])
@pytest.mark.parametrize("length", [MAX_SEQUENCE + by for by in (-9, -1, 0, 1, 2, 3, 9, 2000)])
def test_a_sequence_too_long_is_the_same_however_it_is_cut(start, length):
    end = b"m" if start == b"\x1b[" else b"\x07"
    data = b"a" + start + b"1" * (length - len(start) - 1) + end + b"b\n"
    whole = lines_of(data)
    lines = TerminalLines()
    assert [line for byte in data for line in lines.feed(bytes([byte]))] == whole[:1]
    if length < MAX_SEQUENCE:
        assert whole == [b"ab", b""]
    if length > MAX_SEQUENCE + 2:
        assert whole == [data[:-1].replace(b"\x07", b""), b""]


# Limits


def test_the_cursor_goes_only_so_far_beyond_the_end():
    assert lines_of(b"ab\x1b[999999Cx\n") == [b"ab" + b" " * MAX_BEYOND_END + b"x", b""]
    assert lines_of(b"\x1b[999999G") == [b" " * MAX_BEYOND_END]
    assert lines_of(b"\x1b[99999999999999999999Cx") == [b" " * MAX_BEYOND_END + b"x"]
    assert lines_of(b"\t" * 9999) == [b" " * MAX_BEYOND_END]


@pytest.mark.parametrize("size", [1024, 64 * 1024, 5_000_000])
def test_a_line_of_three_million_characters_comes_in_pieces(size):
    data = b"0123456789" * 300_000
    lines = TerminalLines()
    pieces = [
        piece for at in range(0, len(data), size) for piece in lines.feed(data[at : at + size])
    ]
    assert pieces
    assert all(len(piece) <= MAX_LINE + size for piece in pieces)
    assert len(lines.start) <= MAX_LINE
    pieces += lines.feed(b"end\nnext")
    assert b"".join(pieces) == data + b"end"
    assert lines.take() == b"next"


@pytest.mark.parametrize("start", [b"\x1b]", b"\x1bP", b"\x1b["])
def test_a_sequence_that_never_ends_is_held_no_longer_than_it_may_be(start):
    lines = TerminalLines()
    lines.feed(b"a" + start)
    for _ in range(MAX_SEQUENCE - 10):
        lines.feed(b"1")
    assert lines.start == b"a"
    for _ in range(20):
        lines.feed(b"1")
    assert lines.start == b"a" + start + b"1" * (MAX_SEQUENCE + 10)
    assert lines.feed(b"\nb") == [b"a" + start + b"1" * (MAX_SEQUENCE + 10)]
    assert lines.start == b"b"


def test_a_flood_of_a_sequence_that_never_ends_is_shown_in_pieces():
    lines = TerminalLines()
    pieces = [piece for _ in range(50) for piece in lines.feed(b"\x1b]0;" + b"x" * 65536)]
    assert sum(map(len, pieces)) + len(lines.start) == 50 * (65536 + 4)
    assert all(len(piece) <= MAX_LINE + 70_000 for piece in pieces)


def test_marks_without_end_are_no_line_without_end():
    lines = TerminalLines()
    for _ in range(30):
        lines.feed("\u0301".encode() * 32768)
        assert len(lines.start) < 200_000


def test_of_marks_that_go_with_nothing_none_is_lost():
    data = b"e" + "\u0301".encode() * 1000
    assert lines_of(data + b"\n") == [data, b""]
    assert lines_of("\u0301a\n".encode()) == ["\u0301a".encode(), b""]


# What servers write

PROMPT_TOOLKIT = [  # a session with its telnet server, to a terminal that is "dumb"
    b"\x1b[?12l\x1b[?25h",
    (
        b"\x1b[?2004h\x1b[?1l\x1b[?25l\x1b[0m\x1b[?7l\x1b[0m\x1b[J\x1b[0mlogin:\x1b[6D\x1b[7C"
        b"\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h"
    ),
    b"\x1b[?25l\x1b[?7l\x1b[7D\x1b[0mlogin: alice\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h",
    (
        b"\x1b[?25l\x1b[?7l\x1b[12D\x1b[0m\x1b[J\x1b[0mlogin: alice\x1b[12D\x1b[0m\r\r\n\x1b[J"
        b"\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h\x1b[?2004l"
    ),
    (
        b"\x1b[?2004h\x1b[?1l\x1b[?25l\x1b[0m\x1b[?7l\x1b[0m\x1b[J\x1b[0mPassword:\x1b[9D\x1b[10C"
        b"\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h"
    ),
    b"\x1b[?25l\x1b[?7l\x1b[10D\x1b[0mPassword: ******\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h",
    (
        b"\x1b[?25l\x1b[?7l\x1b[16D\x1b[0m\x1b[J\x1b[0mPassword: ******\x1b[16D\x1b[0m\r\r\n\x1b[J"
        b"\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h"
    ),
    b"\x1b[?2004l",
    b"\x1b[0m\x1b[?7h\x1b[0mWelcome alice, password of 6.\r\r\n\x1b[0m",
    (
        b"\x1b[?2004h\x1b[?1l\x1b[?25l\x1b[0m\x1b[?7l\x1b[0m\x1b[J\x1b[0m$\x08\x1b[2C\x1b[?7h\x1b[0m"
        b"\x1b[?12l\x1b[?25h"
    ),
    b"\x1b[?25l\x1b[?7l\x1b[2D\x1b[0m$ ls -l\x1b[?7h\x1b[0m\x1b[?12l\x1b[?25h",
    (
        b"\x1b[?25l\x1b[?7l\x1b[7D\x1b[0m\x1b[J\x1b[0m$ ls -l\x1b[7D\x1b[0m\r\r\n\x1b[J\x1b[?7h"
        b"\x1b[0m\x1b[?12l\x1b[?25h\x1b[?2004l"
    ),
    b"\x1b[0m\x1b[?7h\x1b[0myou said 'ls -l'\r\r\n\x1b[0m",
    (
        b"\x1b[?2004h\x1b[?25l\x1b[0m\x1b[?7l\x1b[0m\x1b[J\x1b[0m$\x08\x1b[2C\x1b[?7h\x1b[0m\x1b[?12l"
        b"\x1b[?25h"
    ),
]


def test_a_session_of_prompt_toolkit_reads_as_on_a_terminal():
    lines = TerminalLines()
    ended, starts = [], []
    for written in PROMPT_TOOLKIT:
        ended += lines.feed(written)
        starts.append(lines.start)
    assert ended == [
        b"login: alice",
        b"Password: ******",
        b"Welcome alice, password of 6.",
        b"$ ls -l",
        b"you said 'ls -l'",
    ]
    assert [starts[at] for at in (1, 2, 4, 9, 10, 13)] == [
        b"login: ",
        b"login: alice",
        b"Password: ",
        b"$ ",
        b"$ ls -l",
        b"$ ",
    ]


def test_a_session_of_telnetlib3_reads_as_on_a_terminal():
    lines = TerminalLines()
    assert lines.feed(b"Ready.\r\ntel:sh> ") == [b"Ready."]
    for key in (b"n", b"o", b"s", b"u", b"c", b"\b \b", b"c", b"h"):
        assert lines.feed(key) == []
    assert lines.start == b"tel:sh> nosuch"
    assert lines.feed(b"\r\nno such command.\r\ntel:sh> ") == [
        b"tel:sh> nosuch",
        b"no such command.",
    ]
    assert lines.start == b"tel:sh> "
