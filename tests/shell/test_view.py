"""How bytes look in the shell: what is text, and what is escaped in another colour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.layout.processors import TransformationInput

from echoproto.shell.view import EscapeProcessor, encodable, show, show_lines
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
