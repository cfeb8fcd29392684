"""What a session needs of the place where the user sees it is what the screen offers."""

from __future__ import annotations

import inspect

import pytest

from echoproto.shell.display import Display
from echoproto.shell.screen import Screen
from in_shell import Recording

METHODS = [name for name, _ in inspect.getmembers(Display, inspect.isfunction) if name[0] != "_"]


@pytest.mark.parametrize("kind", [Screen, Recording])
@pytest.mark.parametrize("name", METHODS)
def test_each_display_has_the_methods_with_their_parameters(kind, name):
    wanted, there = (inspect.signature(getattr(each, name)) for each in (Display, kind))
    assert list(there.parameters) == list(wanted.parameters)


def test_there_is_something_to_compare():
    assert {"print", "redraw", "room"} <= set(METHODS)
