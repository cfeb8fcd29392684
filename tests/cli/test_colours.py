"""The styles of lines as a terminal shows them."""

from __future__ import annotations

import os

import click

from echoproto.cli.colours import coloured, wants_colours


def test_each_style_has_its_colour_and_the_text_stays():
    line = [("dim", "0000"), ("", "  61  "), ("sent", "a"), ("escape", r"\n")]
    shown = coloured([line, line])
    assert click.unstyle(shown) == "0000  61  a\\n\n" * 2
    assert "\x1b[36ma\x1b[0m" in shown


def test_only_a_terminal_gets_colours_and_only_if_they_are_wanted(monkeypatch):
    master, slave = os.openpty()
    reader, writer = os.pipe()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert (wants_colours(slave), wants_colours(writer)) == (True, False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colours(slave)
    for fd in (master, slave, reader, writer):
        os.close(fd)
