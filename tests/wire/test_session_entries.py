"""The entries of a session file: variables and their values, and regular expressions."""

from __future__ import annotations

import pytest

from echoproto.errors import SessionFileError
from echoproto.wire.session_entries import compile_pattern
from echoproto.wire.session_file import parse
from echoproto.wire.session_text import read_pattern


def read(text):
    return parse(f"# echoproto session 1\n{text}".encode(), "a.session")


def test_each_variable_must_have_a_value_before_it_is_used():
    session = read("set user a\n<~ id (?P<id>.*)\n> ${user} ${id}\n<~ ${word}\n> ${word}")
    session.check_variables(["word"])
    assert session.used_variables == {"user", "id", "word"}
    message = r"^a.session:5: \${word} has no value: give it with --set word=VALUE"
    with pytest.raises(SessionFileError, match=message):
        session.check_variables([])
    with pytest.raises(SessionFileError, match=r"^a.session:2: \${late} has no value"):
        read("> ${late}\n<~ (?P<late>.*)").check_variables([])


def test_a_variable_in_a_regular_expression_stands_for_its_value_as_text():
    pattern = read_pattern("id ${id} (.)")
    assert compile_pattern(pattern, {"id": b"a.*\xff"}).fullmatch("id a.*\udcff x")
    assert not compile_pattern(pattern, {"id": b"a.*"}).fullmatch("id abc x")
    assert compile_pattern(pattern, {}).fullmatch("id anything x")
