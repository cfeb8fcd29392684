"""The table of the keys: what is listed, and what the README says of it."""

from __future__ import annotations

import re
from pathlib import Path

from echoproto.shell.key_help import KEYS, describe_keys

README = Path(__file__).parents[2] / "README.md"


def test_each_key_is_listed_once_in_its_place_within_80_columns():
    lines = describe_keys()
    assert [line for line in lines if not line.startswith(" ")] == list(KEYS)
    listed = [line[2:].split("  ")[0] for line in lines if re.match("  [^ ]", line)]
    assert listed == [key.name for keys in KEYS.values() for key in keys]
    assert max(map(len, lines)) < 80


def test_the_readme_has_the_same_keys():
    text = README.read_text()
    for where, keys in KEYS.items():
        _, _, rest = text.partition(f"\n{where}\n\n")
        table, _, _ = rest.partition("\n\n")
        assert table.splitlines()[2:] == [f"| {key.name} | {key.does} |" for key in keys]
