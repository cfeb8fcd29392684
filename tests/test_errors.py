"""The errors: one tree, which can also be caught as what Python has for it."""

from __future__ import annotations

import pytest

import echoproto
from echoproto import EchoprotoError, errors


def test_every_error_is_in_the_tree_and_public():
    tree = {cls.__name__ for cls in (EchoprotoError, *EchoprotoError.__subclasses__())}
    assert tree == {name for name in vars(errors) if name.endswith("Error")}
    assert tree == {name for name in echoproto.__all__ if name.endswith("Error")}


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (errors.CannotStartError, SystemExit),
        (errors.LineTooLongError, ValueError),
        (errors.NotTelnetError, ValueError),
        (errors.ProxyHeaderError, ValueError),
        (errors.SessionFileError, ValueError),
        (errors.TargetError, ValueError),
    ],
)
def test_an_error_is_also_what_python_has_for_it(error, base):
    assert issubclass(error, base)


def test_a_line_that_is_too_long_comes_with_what_has_arrived_of_it():
    error = errors.LineTooLongError(b"abc", 2)
    assert (str(error), error.line) == ("a line of more than 2 bytes", b"abc")
