"""The server's colours: SGR sequences (ECMA-48, section 8.3.117) as styles of prompt_toolkit.

The rules:

- Only what is in the tables below has an effect: colours, bold, dim, italic, underline and reverse.
  Conceal and blink do not.
- No text becomes invisible, whatever the server sends. Without a background, a colour that the
  terminal may have as its own background (black, the greys, and white) is left out, or shown as
  dim. With a background, both colours are exact ones, and the text becomes black or white where its
  own colour would not stand out. Therefore dim is shown only on text that has no colour.

`lines`, above, keeps the `Pen` and finds the sequences. Nothing is below this module.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_CONTRAST: Final = 1.5
"""Smallest contrast between text and its background, as WCAG 2 defines it: from 1 to 21."""

_NEARLY_BLACK, _NEARLY_WHITE = 0x40, 0xD0
"""A colour with no part above the first, or none below the second, may be a background."""

# The 16 colours in the order of their numbers, and what xterm shows for them.
_PALETTE: Final = {
    "ansiblack": "#000000",
    "ansired": "#cd0000",
    "ansigreen": "#00cd00",
    "ansiyellow": "#cdcd00",
    "ansiblue": "#0000ee",
    "ansimagenta": "#cd00cd",
    "ansicyan": "#00cdcd",
    "ansigray": "#e5e5e5",
    "ansibrightblack": "#7f7f7f",
    "ansibrightred": "#ff0000",
    "ansibrightgreen": "#00ff00",
    "ansibrightyellow": "#ffff00",
    "ansibrightblue": "#5c5cff",
    "ansibrightmagenta": "#ff00ff",
    "ansibrightcyan": "#00ffff",
    "ansiwhite": "#ffffff",
}
_NAMES: Final = list(_PALETTE)
_MAY_BE_BACKGROUND: Final = {
    "ansiblack": "",
    "ansigray": "",
    "ansibrightblack": "dim",
    "ansiwhite": "",
}
"""Names that are not shown without a background, and the style that stands for each."""

# What a code changes. A colour is a name of the palette, "#rrggbb", or "" for the terminal's own.
_FOREGROUND: Final = {
    39: "",
    **dict(zip([*range(30, 38), *range(90, 98)], _NAMES, strict=True)),
}
_BACKGROUND: Final = {
    49: "",
    **dict(zip([*range(40, 48), *range(100, 108)], _NAMES, strict=True)),
}
_ON: Final = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse"}
_OFF: Final = {
    22: frozenset(["bold", "dim"]),
    23: frozenset(["italic"]),
    24: frozenset(["underline"]),
    27: frozenset(["reverse"]),
}
_FOREGROUND_FOLLOWS, _BACKGROUND_FOLLOWS, _UNDERLINE_COLOUR_FOLLOWS = 38, 48, 58
_COLOUR_FOLLOWS: Final = {_FOREGROUND_FOLLOWS, _BACKGROUND_FOLLOWS, _UNDERLINE_COLOUR_FOLLOWS}
_LENGTHS: Final = {2: 3, 5: 1}
"""By the kind of the colour that follows: how many numbers it has."""


class Pen(NamedTuple):
    """What SGR has turned on for the text that follows."""

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()


PLAIN: Final = Pen()
"""The pen at the start of a connection."""


@lru_cache(maxsize=1024)
def apply_sgr(pen: Pen, parameters: str) -> Pen:
    """Return the pen after the sequence CSI `parameters` m. What has no meaning here is skipped."""
    for code, *more in _codes(parameters):
        if code == 0:
            pen = PLAIN
        elif code in _ON and more[:1] != [0]:  # 4:0 is no underline
            pen = pen._replace(attributes=pen.attributes | {_ON[code]})
        elif code in _ON:
            pen = pen._replace(attributes=pen.attributes - {_ON[code]})
        elif code in _OFF:
            pen = pen._replace(attributes=pen.attributes - _OFF[code])
        elif code in _FOREGROUND:
            pen = pen._replace(foreground=_FOREGROUND[code])
        elif code in _BACKGROUND:
            pen = pen._replace(background=_BACKGROUND[code])
        elif code == _FOREGROUND_FOLLOWS and (colour := _colour(more)):
            pen = pen._replace(foreground=colour)
        elif code == _BACKGROUND_FOLLOWS and (colour := _colour(more)):
            pen = pen._replace(background=colour)
    return pen


@lru_cache(maxsize=1024)
def style_of(pen: Pen) -> str:
    """Return the style of prompt_toolkit for text that is written with `pen`."""
    foreground, background, attributes = pen
    if background:
        background = _PALETTE.get(background, background)
        foreground = _on_background(_PALETTE.get(foreground, foreground), background)
        words = [foreground, f"bg:{background}"]
    elif foreground.startswith("#"):
        words = [] if _may_be_background(foreground) else [foreground]
    else:
        words = [_MAY_BE_BACKGROUND.get(foreground, foreground)]
    if foreground or background:
        attributes -= {"dim"}
    return " ".join(filter(None, [*words, *sorted(attributes)]))


def _codes(parameters: str) -> Iterator[list[int]]:
    """Yield each code with the numbers that belong to it: [1], [38, 5, 208], [38, 2, 255, 0, 0].

    Those numbers follow a colon (ISO 8613-6), or a semicolon as xterm has it.
    """
    rest = iter(parameters.split(";"))
    for parameter in rest:
        code, *more = (int(number or 0) for number in parameter.split(":"))
        if code in _COLOUR_FOLLOWS and not more:
            kind = _number(rest)
            more = [kind, *(_number(rest) for _ in range(_LENGTHS.get(kind, 0)))]
        elif code in _COLOUR_FOLLOWS and len(more) > 1 + _LENGTHS[2]:
            del more[1:-3]  # the number of a colour space, which is usually left out
        yield [code, *more]


def _number(parameters: Iterator[str]) -> int:
    """Take the next parameter. One with a colon, and one that is missing, is no number: -1."""
    text = next(parameters, "-1")
    return -1 if ":" in text else int(text or 0)


def _colour(numbers: list[int]) -> str:
    """Return the colour that the numbers behind 38 or 48 select, or "" if there is none."""
    if not all(number in range(256) for number in numbers):
        return ""
    match numbers:
        case [5, index] if index < len(_NAMES):
            return _NAMES[index]
        case [5, index]:
            return _of_256(index)
        case [2, red, green, blue]:
            return f"#{red:02x}{green:02x}{blue:02x}"
    return ""


def _of_256(index: int) -> str:
    """Return colour `index` of xterm's 256: from 16 a cube of 6 x 6 x 6, from 232 greys."""
    if index >= 232:  # noqa: PLR2004
        return f"#{8 + 10 * (index - 232):02x}" + f"{8 + 10 * (index - 232):02x}" * 2
    parts = [(index - 16) // place % 6 for place in (36, 6, 1)]
    return "#" + "".join(f"{55 + 40 * part if part else 0:02x}" for part in parts)


def _parts(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _may_be_background(colour: str) -> bool:
    parts = _parts(colour)
    return max(parts) < _NEARLY_BLACK or min(parts) >= _NEARLY_WHITE


def _on_background(foreground: str, background: str) -> str:
    """Return a foreground that can be read on `background`: the given one if it can."""
    if foreground and contrast(foreground, background) >= MIN_CONTRAST:
        return foreground
    return max("#000000", "#ffffff", key=lambda colour: contrast(colour, background))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2, "contrast ratio")."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour, from 0 to 1 (WCAG 2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for part in (part / 0xFF for part in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
