"""What the code and the tests import directly is declared, and what is declared is used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

NOT_IMPORTED = {
    *["coverage", "mypy", "mypy_zope", "pytest_timeout", "pytest_xdist", "ruff"],  # tools
    "pyhamcrest",  # for Twisted's own tests
}
NOT_OURS = {"_typeshed", "atheris", "foolscap", "wormhole", "wormhole_mailbox_server"}
"""Only type checkers, `make fuzz` and `make users` have these."""

OF_THE_TESTS = {path.stem for path in (TOP / "tests").rglob("*.py")} | {"bench", "reactor"}


def declared(requirements):
    return {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def normal(name):
    return re.sub(r"[-_.]+", "_", name).lower()


def imported(*folders):
    """The distributions that the files of `folders` import, wherever the import stands."""
    modules = set()
    for path in (path for folder in folders for path in (TOP / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module)
            elif isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
    tops = {module.partition(".")[0] for module in modules}
    tops -= {"zope", "echoproto", *sys.stdlib_module_names, *NOT_OURS}
    found = {"zope_interface"} if any(m.startswith("zope.interface") for m in modules) else set()
    by_module = packages_distributions()
    return found | {normal(by_module[top][0]) for top in tops if top not in OF_THE_TESTS}


@pytest.mark.parametrize(
    ("folders", "requirements"),
    [
        (["echoproto", "twisted/plugins"], [*PROJECT["dependencies"], *EXTRAS["plot"]]),
        (["tests"], [*PROJECT["dependencies"], *EXTRAS["plot"], *EXTRAS["dev"]]),
    ],
    ids=["echoproto", "tests"],
)
def test_what_is_imported_is_declared(folders, requirements):
    assert not imported(*folders) - declared(requirements)


def test_what_is_declared_is_used():
    everything = declared([*PROJECT["dependencies"], *EXTRAS["plot"], *EXTRAS["dev"]])
    used = imported("echoproto", "twisted/plugins", "tests", "docs")
    assert everything - used == NOT_IMPORTED | {"echoproto"}
