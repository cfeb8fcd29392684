"""Makes the pictures in docs/pictures: what a terminal shows of real sessions, as SVG.

`make pictures` runs this. Each function in SCENES types into our shell in a real terminal, and
returns what it then shows.
"""

from __future__ import annotations

import io
import re
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from support import BIN, serve
from terminal import Terminal, at, has

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"

TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own template without the font that it would load from a server."""

HEX = re.compile(r"[0-9a-f]{6}")


def colour(name):
    """The colour of a pyte cell, in rich's words."""
    name = name.replace("brown", "yellow")
    if HEX.fullmatch(name):
        return f"#{name}"
    return re.sub(r"^bright", "bright_", name)


def style(cell):
    return Style(
        color=colour(cell.fg),
        bgcolor=colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )


def to_svg(screen, title):
    """What `screen` shows, down to its last row with text, as an SVG."""
    text = Text()
    for y in range(len(screen.rows)):
        cells = [screen.buffer[y][x] for x in range(screen.columns)]
        for look, run in groupby(cells, style):
            text.append("".join(cell.data for cell in run), look)
        text.append("\n")
    text.right_crop()
    console = Console(width=screen.columns, record=True, file=io.StringIO())
    console.print(text, soft_wrap=True)
    return console.export_svg(
        title=title, theme=SVG_EXPORT_THEME, code_format=TEMPLATE, unique_id="echoproto"
    )


def shell(folder, *words):
    """Our shell in a terminal, with a history of its own."""
    return Terminal(BIN / "echoproto", *words, env={"XDG_STATE_HOME": str(folder)})


def echo_on_the_wire(folder):
    """A line to the echo server, and what it is on the wire."""
    with serve() as server, shell(folder, "-x", f"127.0.0.1:{server.port}") as terminal:
        terminal.see(at("> "))
        terminal.enter("hello, wörld")
        terminal.see(has("received 15 bytes"))  # or both replies could come together
        terminal.press("C-]")
        terminal.enter(r'send "no line end"')
        terminal.see(has("no line end⏎"))
        return terminal.screen()


SCENES = {"shell": ("echoproto -x", echo_on_the_wire)}
"""The title of each picture, and what it shows, by the name of its file."""


def main(folder=FOLDER):
    folder.mkdir(exist_ok=True)
    for name, (title, scene) in SCENES.items():
        with TemporaryDirectory() as state:
            screen = scene(state)
        (folder / f"{name}.svg").write_text(to_svg(screen, title))


if __name__ == "__main__":
    main()
