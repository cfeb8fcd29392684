"""The server's colours: which are shown, and that no text becomes invisible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.styles import Style

from echoproto.shell.sgr import MIN_CONTRAST, PLAIN, apply_sgr, contrast, style_of


def style(*sequences):
    """The style after the sequences, each given by its parameters; its words sorted."""
    pen = PLAIN
    for parameters in sequences:
        pen = apply_sgr(pen, parameters)
    return " ".join(sorted(style_of(pen).split()))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("", ""),
        ("0", ""),
        ("31", "ansired"),
        ("91", "ansibrightred"),
        ("1;31", "ansired bold"),
        ("01;031", "ansired bold"),
        ("2", "dim"),
        ("3;4;7", "italic reverse underline"),
        ("4:3", "underline"),
        ("4:0", ""),
        ("44", "#ffffff bg:#0000ee"),
        ("30;42", "#000000 bg:#00cd00"),
        ("37;41", "#e5e5e5 bg:#cd0000"),
        # 256 colours
        ("38;5;1", "ansired"),
        ("38;5;9", "ansibrightred"),
        ("38;5;208", "#ff8700"),
        ("38;5;244", "#808080"),
        ("48;5;21", "#ffffff bg:#0000ff"),
        ("38:5:208", "#ff8700"),
        # 24 bits
        ("38;2;255;128;0", "#ff8000"),
        ("38:2:255:128:0", "#ff8000"),
        ("38:2::255:128:0", "#ff8000"),
        ("1;38;2;255;128;0;4", "#ff8000 bold underline"),
        ("48;2;0;0;90", "#ffffff bg:#00005a"),
        # the colour of an underline is skipped, with its numbers
        ("58;5;1;4", "underline"),
        ("58;2;1;2;3;4", "underline"),
        ("58:2::1:2:3;4", "underline"),
        # not shown: blink, conceal, crossed out, fonts, frames
        ("5", ""),
        ("6", ""),
        ("8", ""),
        ("9", ""),
        ("10;11;51;53;73", ""),
        # not well formed
        ("38", ""),
        ("38;5", ""),
        ("38;2;1;2", ""),
        ("38;5;256", ""),
        ("38;2;1;2;300", ""),
        ("38;7;31", "ansired"),
        ("38;5:1", ""),
        ("38:5", ""),
        (":", ""),
        ("31:2", "ansired"),
        ("9" * 1000 + ";31", "ansired"),
    ],
)
def test_the_style_of_a_sequence(parameters, expected):
    assert style(parameters) == expected


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        (["31", "1"], "ansired bold"),
        (["1;31", ""], ""),
        (["1;31", "0;32"], "ansigreen"),
        (["1;2;31", "22;39"], ""),
        (["3;4;7", "23", "24", "27"], ""),
        (["31;42", "49"], "ansired"),
        (["31;42", "39"], "#000000 bg:#00cd00"),
        (["3", "38;5"], "italic"),
    ],
)
def test_what_is_on_stays_on_until_it_is_turned_off(sequences, expected):
    assert style(*sequences) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("30", ""),  # black on a black terminal
        ("97", ""),  # white on a white one
        ("1;37", "bold"),
        ("90", "dim"),  # the background of Solarized
        ("38;5;16", ""),
        ("38;5;231", ""),
        ("38;2;0;43;54", ""),  # the background of Solarized
        ("38;2;253;246;227", ""),  # that of its light variant
        ("2;34", "ansiblue"),
        ("31;41", "#ffffff bg:#cd0000"),
        ("38;2;1;1;1;48;2;0;0;0", "#ffffff bg:#000000"),
        ("97;107", "#000000 bg:#ffffff"),
        ("30;40", "#ffffff bg:#000000"),
        ("2;31;42", "#cd0000 bg:#00cd00"),
    ],
)
def test_no_colours_make_text_invisible(parameters, expected):
    assert style(parameters) == expected


NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 4, 7, 8, 22, 38, 39, 48, 49, 58, *range(30, 38), *range(100, 108)]),
    st.integers(0, 300),
)
PARAMETERS = st.lists(
    st.tuples(st.sampled_from([";", ":", ";;"]), NUMBERS.map(str) | st.just("")), max_size=12
).map(lambda pairs: "".join(separator + number for separator, number in pairs)[1:])


@given(st.lists(PARAMETERS, max_size=4))
def test_whatever_comes_is_a_style_in_which_text_can_be_read(sequences):
    words = style(*sequences).split()
    shown = Style([]).get_attrs_for_style_str(" ".join(words))
    assert not any([shown.hidden, shown.blink, shown.strike])
    if shown.bgcolor:
        assert contrast(f"#{shown.color}", f"#{shown.bgcolor}") >= MIN_CONTRAST
    assert not (shown.dim and (shown.color or shown.bgcolor))
