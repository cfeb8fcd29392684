"""What is public: `echoproto.__all__`, its documentation, and what importing it costs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from zope.interface import implementedBy

import echoproto
from echoproto.server.connection import _OFFERED

REFERENCE = (Path(__file__).parents[1] / "docs" / "reference.md").read_text()
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL))
CLASSES = [name for name in echoproto.__all__ if inspect.isclass(getattr(echoproto, name))]


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def members(cls):
    """The public names that a class of ours adds to what it inherits from others."""
    return {
        name
        for base in cls.__mro__
        if base.__module__.startswith("echoproto.")
        for name in vars(base)
        if not name.startswith("_")
    }


def test_the_reference_describes_what_is_public_and_nothing_else():
    assert sorted(SECTIONS) == sorted(echoproto.__all__)


NOT_PROMISED = {
    "Command": {command.name for command in echoproto.Command},  # the reference gives their RFCs
    "LineFactory": {"noisy"},
    # What the reactor, and the other modules of the server, use of a connection.
    "ServerConnection": {
        *["connectionLost", "dataReceived", "makeConnection", "wrappedProtocol"],
        *["clock", "close", "deliver_end", "half_close", "handle_ending", "is_open", "notify_end"],
        *["disconnecting", "ending", "pause", "paused", "read_lost", "reason", "resume", "stack"],
        *["take_over", "telnet_started", "transport", "budget", "end_turn", "spend", "is_lost"],
        *["end_handshake", "pause_for_turn", "drop"],
    },
}
"""The members, by class, of which the reference says nothing on purpose."""


@pytest.mark.parametrize("name", CLASSES)
def test_the_reference_names_each_public_member(name):
    cls = getattr(echoproto, name)
    sections = " ".join(SECTIONS.get(base.__name__, "") for base in cls.__mro__)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", sections))))
    twisteds = {one for interface in implementedBy(cls) for one in interface.names(all=True)}
    if name == "ServerConnection":
        twisteds |= _OFFERED  # "everything that the Twisted transport below it offers"
    assert members(cls) - named - twisteds == NOT_PROMISED.get(name, set()) - named - twisteds


@pytest.mark.parametrize("name", CLASSES)
def test_each_public_class_and_method_has_a_docstring(name):
    cls = getattr(echoproto, name)
    assert cls.__doc__
    for member in members(cls):
        value = inspect.getattr_static(cls, member)
        if isinstance(value, (staticmethod, classmethod)):
            value = value.__func__
        if inspect.isfunction(value) or isinstance(value, property):
            assert value.__doc__, member


@pytest.mark.long
def test_every_name_is_loaded_when_it_is_used_and_no_sooner():
    heavy = {"twisted", "prompt_toolkit", "asyncio", "uvloop", "click", "ssl"}
    code = "import sys, echoproto; dir(echoproto); print(*sys.modules)"
    assert not heavy & set(run(code))
    for name in echoproto.__all__:
        run(f"from echoproto import {name}")


def test_names_that_are_not_public_are_not_there():
    with pytest.raises(AttributeError, match="module 'echoproto' has no attribute 'LineSplitter'"):
        _ = echoproto.LineSplitter
    assert set(echoproto.__all__) <= set(dir(echoproto))
