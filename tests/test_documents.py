"""What the documents name is there: links, files, tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PAGES = [TOP / "README.md", TOP / "CHANGELOG.md", *(TOP / "docs").glob("*.md")]
TESTS = "".join(path.read_text() for path in (TOP / "tests").rglob("test_*.py"))


def anchors_of(page):
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings_that_are_there(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_tests_that_are_named_are_there(page):
    text = page.read_text()
    for name in re.findall(r"`((?:[\w.]+/)+[\w.]*)`", text.replace("NAME", "ping")):
        assert any((top / name).exists() for top in (TOP, TOP / "echoproto", page.parent)), name
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in TESTS, name
