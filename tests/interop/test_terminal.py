"""The terminals of these tests show what a program prints, where, and in which colours."""

from __future__ import annotations

import sys

import pytest

from support import eventually
from terminal import SlowTerminal, Terminal

COLOURS = r"píšu 日本 \033[1;31mred\033[0m \033[44mon blue\033[0m> "

FLOOD = """
import sys
sys.stdout.write("flood\\r\\n" * 10_000)
sys.stdout.flush()
print("written", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("kind", [Terminal, SlowTerminal])
def test_text_cursor_and_colours(kind):
    with kind("sh", "-c", f"printf '{COLOURS}'; cat") as terminal:
        terminal.see(lambda screen: screen.rows == ["píšu 日本 red on blue>"])
        terminal.type("typed")
        screen = terminal.see(lambda screen: screen.rows == ["píšu 日本 red on blue> typed"])
        assert screen.before_cursor == screen.rows[0]
        plain, red, blue = (screen.look(text) for text in ("typed", "red", "on blue"))
        assert (plain.fg, plain.bg, plain.bold) == ("default", "default", False)
        assert (red.fg, red.bold) == ("red", True)
        assert blue.bg == "blue"
        terminal.enter("")
        terminal.see(lambda screen: screen.rows[1:2] == ["typed"])


@pytest.mark.parametrize("kind", [Terminal, SlowTerminal])
def test_a_new_size_reaches_the_program(kind):
    program = "trap 'stty size' WINCH; stty size; while read -r line; do echo $line; done"
    with kind("bash", "-c", program) as terminal:
        terminal.see(lambda screen: screen.rows == ["24 80"])
        terminal.resize(100, 30)
        terminal.enter("more")
        terminal.see(lambda screen: "30 100" in screen.rows)


def test_a_program_waits_for_a_slow_terminal(tmp_path):
    log = tmp_path / "log"
    command = ["sh", "-c", 'exec "$@" 2>"$0"', log, sys.executable, "-c", FLOOD]
    with SlowTerminal(*command, speed=20_000) as terminal:
        terminal.see(lambda screen: "flood" in screen.rows)
        assert log.read_text() == ""
        terminal.speed = None
        eventually(lambda: log.read_text() == "written\n", "the program has written all")
