"""The styles: their contrast to the backgrounds of terminals, and how they do without colours."""

from __future__ import annotations

import io
import sys

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style, default_ui_style, merge_styles

from echoproto.shell.sgr import contrast
from echoproto.shell.styles import COLOURED, MIN_CONTRAST, PLAIN, limit_colours, styles_for
from support import run

BACKGROUNDS = {
    "xterm, Linux console, tmux, PuTTY, Windows console": "#000000",
    "xterm -rv, GNOME light": "#ffffff",
    "Windows Terminal (Campbell)": "#0c0c0c",
    "GNOME dark": "#171421",
    "GNOME Console dark": "#1e1e1e",
    "GNOME Console light": "#fafafa",
    "Tango dark": "#2e3436",
    "Ubuntu": "#300a24",
    "Solarized dark": "#002b36",
    "Solarized light": "#fdf6e3",
}


def attributes(styles, name):
    """What prompt_toolkit makes of a style, together with its own styles."""
    both = merge_styles([default_ui_style(), Style.from_dict(styles)])
    return both.get_attrs_for_style_str(f"class:{name}")


def output(term=None, depth=None):
    return Vt100_Output(io.StringIO(), lambda: Size(24, 80), term=term, default_color_depth=depth)


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS.keys())
@pytest.mark.parametrize("name", COLOURED)
def test_each_style_can_be_read_on_each_background(name, background):
    shown = attributes(COLOURED, name)
    assert not shown.bgcolor
    assert not shown.dim
    if shown.color:
        assert contrast(f"#{shown.color}", background) >= MIN_CONTRAST


@pytest.mark.parametrize("name", COLOURED)
def test_a_terminal_of_256_colours_has_each_colour_exactly(name):
    out = output("xterm-256color")
    shown = attributes(COLOURED, name)
    out.set_attributes(shown, ColorDepth.DEPTH_8_BIT)
    with_8, with_24 = out._buffer.pop(), shown.color
    if with_24:
        number = int(with_8.partition("38;5;")[2].partition(";")[0].rstrip("m"))
        assert number >= 16  # the others are as the user has set them
        cube = [0, 95, 135, 175, 215, 255]
        exact = (
            [cube[(number - 16) // place % 6] for place in (36, 6, 1)]
            if number < 232
            else [8 + 10 * (number - 232)] * 3
        )
        assert "".join(f"{part:02x}" for part in exact) == with_24


@pytest.mark.parametrize("name", PLAIN)
def test_without_colours_a_style_needs_no_more_than_a_vt100_has(name):
    shown = attributes(PLAIN, name)
    assert not any((shown.color, shown.bgcolor, shown.italic, shown.dim, shown.blink))


@pytest.mark.parametrize("styles", [COLOURED, PLAIN])
def test_a_suggestion_and_an_escape_differ_from_what_is_typed_and_sent(styles):
    looks = {name: attributes(styles, name) for name in styles}
    typed = attributes(styles, "no-such-style")
    for name in ("auto-suggestion", "escape", "control-character"):
        assert looks[name] != typed
        assert looks["escape"] != looks["sent"]
    assert COLOURED.keys() == PLAIN.keys()


DEPTH_OF = """
import io, sys
from prompt_toolkit.output.vt100 import Vt100_Output
from echoproto.shell.styles import limit_colours
output = Vt100_Output(io.StringIO(), None, term=sys.argv[1] or None)
limit_colours(output)
print(output.get_default_color_depth().name)
"""
"""In a process of its own, because curses knows one terminal in each."""


@pytest.mark.parametrize(
    ("term", "depth"),
    [
        ("xterm-256color", ColorDepth.DEFAULT),
        ("xterm", ColorDepth.DEFAULT),
        ("no-such-terminal", ColorDepth.DEFAULT),
        ("", ColorDepth.DEFAULT),
        ("vt100", ColorDepth.DEPTH_1_BIT),
        ("linux", ColorDepth.DEPTH_4_BIT),
    ],
)
def test_a_terminal_without_colours_gets_none(term, depth):
    done = run(sys.executable, "-c", DEPTH_OF, term)
    assert done.stdout.decode().strip() == depth.name, done.stderr


@pytest.mark.parametrize(
    ("depth", "styles"),
    [
        (ColorDepth.DEPTH_1_BIT, PLAIN),
        (ColorDepth.DEPTH_4_BIT, PLAIN),
        (ColorDepth.DEPTH_8_BIT, COLOURED),
        (ColorDepth.DEPTH_24_BIT, COLOURED),
    ],
)
def test_the_styles_are_those_that_the_terminal_can_show(depth, styles):
    expected = Style.from_dict(styles).style_rules
    assert styles_for(output("xterm", depth)).style_rules == expected


def test_what_the_user_has_asked_for_stands():
    vt100 = output("vt100", ColorDepth.DEPTH_24_BIT)
    limit_colours(vt100)
    assert vt100.get_default_color_depth() == ColorDepth.DEPTH_24_BIT
