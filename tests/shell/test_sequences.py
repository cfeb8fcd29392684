"""Where an escape sequence ends, and what its parameters are."""

from __future__ import annotations

import pytest

from echoproto.shell.sequences import (
    MAX_SEQUENCE,
    count,
    first_number,
    is_partial_sequence,
    match_sequence,
)


@pytest.mark.parametrize(
    ("sequence", "parameters", "final"),
    [
        ("\x1b[H", "", "H"),
        ("\x1b[3;4H", "3;4", "H"),
        ("\x1b[38:2::1:2:3m", "38:2::1:2:3", "m"),
        ("\x1b[?25l", None, None),
        ("\x1b[38:2H", None, None),
        ("\x1b]0;title\x07", None, None),
        ("\x1bP$q\x1b\\", None, None),
        ("\x1b(0", None, None),
        ("\x1bc", None, None),
    ],
)
def test_a_sequence_ends_where_its_kind_ends_and_every_start_of_it_is_partial(
    sequence, parameters, final
):
    found = match_sequence(f"a{sequence}b", 1)
    assert found[0] == sequence
    assert (found["parameters"], found["final"]) == (parameters, final)
    for end in range(1, len(sequence)):
        assert match_sequence(sequence[:end], 0) is None
        assert is_partial_sequence(sequence[:end], 0)


@pytest.mark.parametrize("text", ["\x1b\n", "\x1b[\x07", "\x1b[3\x1b"])
def test_what_can_become_no_sequence_is_not_partial(text):
    assert match_sequence(text, 0) is None
    assert not is_partial_sequence(text, 0)


def test_a_sequence_that_is_too_long_is_none():
    assert match_sequence("\x1b]" + "x" * MAX_SEQUENCE + "\x07", 0) is None
    assert not is_partial_sequence("\x1b]" + "x" * MAX_SEQUENCE, 0)


@pytest.mark.parametrize(
    ("parameters", "number", "times"),
    [("", 0, 1), ("0", 0, 1), ("3;4", 3, 3), ("1234567", 123456, 123456)],
)
def test_the_first_parameter_is_a_number_and_a_number_of_times(parameters, number, times):
    assert (first_number(parameters), count(parameters)) == (number, times)
