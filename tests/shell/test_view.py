"""How bytes look in the shell: what is text, and what is escaped in another colour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from echoproto.shell.view import encodable, show, show_lines


def text_of(fragments):
    return "".join(text for _, text in fragments)


def test_what_is_no_text_is_escaped_in_a_colour_of_its_own():
    assert show(b"a\x1b[2Jb\xff", "class:sent") == [
        ("class:sent", "a"),
        ("class:escape", "\\x1b"),
        ("class:sent", "[2Jb"),
        ("class:escape", "\\xff"),
    ]


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
