"""The language of the command line: words, quotes, arguments, completion."""

from __future__ import annotations

import pytest

from echoproto.shell.command_line import Argument, Entry, Table, columns, either
from in_shell import Recording

GOT = []


def number(word):
    if not word.isdigit():
        raise ValueError(f"{word!r} is no number; give 1, say.")
    return int(word)


TABLE = Table(
    [
        Entry("one", lambda _, *got: GOT.append(got), "take one", "one a", (
            Argument("WORD", {"a": "first", "b": "second"}, number, lambda _: ["7"]),
        )),
        Entry("two", lambda _, *got: GOT.append(got), "take two", "two a", (
            Argument("WORD", {"a": "first"}),
            Argument("MORE", {"c": "third"}, str, is_optional=True),
        )),
    ]
)  # fmt: skip


def run(text):
    """What the command gets, or what is said of it."""
    GOT.clear()
    shell = Recording()
    TABLE.run(shell.session, text)
    _, _, said = shell.take_printed().partition("\n")
    return GOT[0] if GOT else said


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("one a", ("a",)),
        ("one 12", (12,)),
        ("one x", "one: 'x' is no number; give 1, say.\n"),
        ("two a", ("a",)),
        ('two a "b c\\" d"', ("a", '"b c\\" d"')),
        ("two", "two: WORD is missing; use a. Example: two a\n"),
        ("two a b c", "two: unexpected argument 'c'; two takes one WORD and MORE.\n"),
        ("tow a", "Unknown command 'tow'; did you mean two? Use help for a list.\n"),
    ],
)
def test_a_command_gets_the_values_of_its_arguments_or_the_user_is_told_what_is_wrong(text, got):
    assert run(text) == got


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("o", ["one"]),
        ("one ", ["a", "b", "7"]),
        ('two a "x y" ', []),
        ("two a ", ["c"]),
    ],
)
def test_completion(text, found):
    assert [word for word, _ in TABLE.complete(text)] == found


def test_an_argument_that_may_be_left_out_is_in_brackets():
    assert TABLE["two"].usage == "two WORD [MORE]"


def test_columns_and_choices():
    assert columns("a", "b") == ["a                     b"]
    assert columns("x" * 22, "b") == ["x" * 22, "                      b"]
    assert [either(["a"]), either(["a", "b", "c"])] == ["a", "a, b or c"]
