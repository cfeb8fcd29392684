"""How bytes look in the shell: what is text, and what is escaped in another colour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.layout.processors import TransformationInput

from echoproto.shell.row import StyledLine, cells_of
from echoproto.shell.view import NO_LINE_END, EscapeProcessor, encodable, show, show_at, show_lines
from in_shell import ENTER, LEFT, in_shell


def text_of(fragments):
    return "".join(text for _, text in fragments)


def test_what_is_no_text_is_escaped_in_a_colour_of_its_own():
    assert show(b"a\x1b[2Jb\xff", "class:sent") == [
        ("class:sent", "a"),
        ("class:escape", "\\x1b"),
        ("class:sent", "[2Jb"),
        ("class:escape", "\\xff"),
    ]


COLOURED = StyledLine([("ansired", b"r\x07"), ("", b"plain")])


def test_a_line_is_shown_in_its_styles_and_what_is_escaped_in_none_of_them():
    assert [(style.split(), text) for style, text in show(COLOURED, "class:sent")] == [
        (["class:sent", "ansired"], "r"),
        (["class:escape"], "\\x07"),
        (["class:sent"], "plain"),
    ]


def test_a_line_in_colours_leaves_the_lines_around_it_as_they_are():
    shown = [(style.strip(), text) for style, text in show_lines([b"a", COLOURED, b"b"]) if text]
    assert shown == [
        ("", "a\n"),
        ("ansired", "r"),
        ("class:escape", "\\x07"),
        ("", "plain"),
        ("", "\nb\n"),
    ]


@pytest.mark.parametrize(
    ("line", "cursor", "before"),
    [
        (b"abc", 0, ""),
        (b"abc", 2, "ab"),
        (b"abc", 3, "abc"),
        (b"a\x07b", 2, "a\\x07"),
        ("a日b".encode(), 1, "a"),
        ("a日b".encode(), 2, "a"),
        ("a日b".encode(), 3, "a日"),
        ("e\u0301x".encode(), 1, "e\u0301"),
        (b"a\tb", 2, "a       "),
        (COLOURED, 4, "r\\x07pl"),
    ],
)
def test_the_cursor_is_shown_where_it_is_in_the_line(line, cursor, before):
    shown, place = show_at(line, cursor, "class:sent")
    assert shown == show(line, "class:sent")
    assert text_of(shown)[:place] == before


@given(st.binary())
def test_a_cursor_at_the_end_is_shown_at_the_end(line):
    shown, place = show_at(line, len(cells_of(line)))
    assert place == len(text_of(shown))


def test_plain_lines_are_one_fragment_however_many_they_are():
    assert show_lines([b"one", b"", b"two"]) == [("", "one\n\ntwo\n")]


def test_an_escape_stands_between_what_is_around_it():
    assert show_lines([b"one", b"t\x07wo", b"three"]) == [
        ("", "one\nt"),
        ("class:escape", "\\x07"),
        ("", "wo\nthree\n"),
    ]


@given(st.lists(st.binary()))
def test_lines_together_look_as_each_alone(lines):
    shown = show_lines(lines)
    assert text_of(shown) == "".join(text_of(show(line)) + "\n" for line in lines)


def test_a_character_that_the_terminal_lacks_is_escaped():
    shown = [("", "grüß 世\n"), ("class:sent", "ok")]
    assert encodable(shown, "latin-1") == [
        ("", "grüß "),
        ("class:escape", r"\xe4\xb8\x96"),
        ("", "\n"),
        ("class:sent", "ok"),
    ]
    assert text_of(encodable(shown, "ascii")) == "gr\\xc3\\xbc\\xc3\\x9f \\xe4\\xb8\\x96\nok"


def test_a_typed_character_that_the_terminal_lacks_is_escaped_and_the_cursor_stands_right():
    async def script(type_, peer, screen):
        screen.encoding = "ascii"
        type_("a世b")
        await screen.shows(r"> a\xe4\xb8\x96b")
        type_(LEFT + LEFT + "-" + ENTER)
        await peer.has_received(b"\r\n")

    assert in_shell(script)[0] == "a-世b\r\n".encode()
    processor = EscapeProcessor(lambda shown: encodable(shown, "ascii"))
    line = TransformationInput(None, None, 0, lambda at: at, [("", "a世b")], 80, 24)
    changed = processor.apply_transformation(line)
    assert text_of(changed.fragments) == r"a\xe4\xb8\x96b"
    assert [*map(changed.source_to_display, range(5))] == [0, 1, 13, 14, 15]
    assert [*map(changed.display_to_source, range(15))] == [0, *[1] * 12, 2, 3]


def test_the_mark_is_an_ascii_character_where_the_terminal_has_no_other():
    assert encodable([NO_LINE_END], "ascii") == [(NO_LINE_END[0], "%")]
    assert encodable([NO_LINE_END], "utf-8") == [NO_LINE_END]
    assert encodable([("", NO_LINE_END[1])], "ascii") == [("class:escape", r"\xe2\x8f\x8e")]
