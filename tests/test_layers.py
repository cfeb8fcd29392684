"""The packages of the code, and what each may import: see docs/architecture.md."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import echoproto

TOP = Path(__file__).parent.parent

MODULES = [
    module.name
    for module in pkgutil.walk_packages(echoproto.__path__, "echoproto.")
    if not module.name.endswith("__main__")
]

MAY_NOT = {
    "wire": ["twisted", "asyncio", "socket", "time", "select", "prompt_toolkit", "zope", "click"],
    "reactor": [
        *["echoproto.wire", "echoproto.server", "echoproto.client", "echoproto.shell"],
        *["prompt_toolkit", "click"],
    ],
    "server": ["echoproto.client", "echoproto.shell", "prompt_toolkit", "click"],
    "client": ["echoproto.server", "echoproto.shell", "twisted", "prompt_toolkit"],
    "shell": ["echoproto.server", "twisted"],
    "cli": [
        *["echoproto.server", "echoproto.client", "echoproto.shell"],
        *["twisted", "prompt_toolkit", "hypothesis"],
    ],
    "errors": ["twisted", "asyncio", "socket", "prompt_toolkit", "click"],
    "embedded": ["echoproto.server", "echoproto.client", "echoproto.shell", "twisted"],
}

BRINGS = {"echoproto.wire.tls": "import ssl"}
"""What a module may import although that itself loads what the package may not (here: socket)."""


@cache
def imported_by(statement):
    """The modules that `statement` imports, in a fresh interpreter."""
    return modules_after(statement) - modules_after("pass")


@cache
def modules_after(statement):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def is_forbidden(name, package):
    return any(name == no or name.startswith(f"{no}.") for no in MAY_NOT[package])


@pytest.mark.parametrize("package", MAY_NOT)
def test_a_package_imports_only_what_it_may(package):
    modules = [name for name in MODULES if name.split(".")[1] == package and name not in BRINGS]
    loaded = imported_by(f"import {', '.join(modules)}")
    forbidden = [name for name in loaded if is_forbidden(name, package)]
    if forbidden:  # by which module?
        forbidden = {
            module: [name for name in imported_by(f"import {module}") if name in forbidden]
            for module in modules
        }
    assert not forbidden


@pytest.mark.parametrize("module", BRINGS)
def test_a_module_that_brings_more_imports_nothing_else_that_its_package_may_not(module):
    loaded = imported_by(f"import {module}") - imported_by(BRINGS[module])
    assert not [name for name in loaded if is_forbidden(name, module.split(".")[1])]


def test_every_package_is_covered():
    assert {module.split(".")[1] for module in MODULES} == set(MAY_NOT)


def imports_of(path):
    """The modules of ours that a file imports, now or when a function is called; not for types."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_files_import_each_other_in_a_circle():
    files = {name: TOP / Path(*name.split(".")).with_suffix(".py") for name in MODULES}
    graph = {
        name: [other for other in imports_of(file) if other in files and other != name]
        for name, file in files.items()
        if file.exists()
    }
    assert len(graph) > 50
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_the_plugin_imports_nothing_heavy():
    path = TOP / "twisted" / "plugins" / "echoproto_plugin.py"
    loaded = imported_by(f"exec(open({str(path)!r}).read())")
    heavy = ["twisted.internet.reactor", "twisted.internet.tcp", "OpenSSL"]
    assert not [name for name in loaded if name.startswith(("echoproto", *heavy))]


def test_the_shell_starts_without_what_few_users_need():
    late = ["difflib", "echoproto.wire.recorder", "echoproto.wire.session_file"]
    assert not set(imported_by("import echoproto.shell.app")) & set(late)


def test_twisted_s_folders_are_no_packages():
    # With an __init__.py there, Python would take this folder for Twisted itself.
    assert not list((TOP / "twisted").rglob("__init__.py"))


@pytest.mark.parametrize(
    "module", [name for name in MODULES if not (TOP / Path(*name.split("."))).is_dir()]
)
def test_each_module_has_a_file_of_tests_by_its_name(module):
    _, *packages, name = module.split(".")
    folder = TOP / "tests" / Path(*packages)
    found = [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]
    assert any("\ndef test_" in path.read_text() for path in found)
