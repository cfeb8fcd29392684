"""The commands of `echoproto`: which there are, and that each is imported only when it is used."""

from __future__ import annotations

import sys

import pytest

from echoproto.cli.commands import COMMANDS
from support import BIN, run

PROGRAM = """
import atexit, sys
from echoproto.cli import main
atexit.register(lambda: print("modules:", *sys.modules, file=sys.stderr))
main()
"""
HEAVY = {"asyncio", "ssl", "prompt_toolkit", "twisted", "uvloop", "matplotlib"}


def modules_after(*words, status=0):
    """The modules that `echoproto WORDS` has imported, in a fresh interpreter."""
    done = run(sys.executable, "-c", PROGRAM, *words)
    assert done.returncode == status, done.stderr
    return set(done.stderr.decode().rpartition("modules:")[2].split())


def commands_in(modules):
    return {name for name in COMMANDS if f"echoproto.cli.{name}" in modules}


def packages_in(modules):
    names = [name.split(".")[1] for name in modules if name.startswith("echoproto.")]
    return set(names) - {"cli"}


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        (["--help"], {"connect"}),  # whose options stand in it
        (["--version"], set()),
        *[([name, "--help"], {name}) for name in COMMANDS],
    ],
    ids=" ".join,
)
def test_help_imports_the_command_that_it_is_about_and_nothing_heavy(words, commands):
    modules = modules_after(*words)
    assert commands_in(modules) == commands
    assert packages_in(modules) == set()
    assert modules & HEAVY == set()


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("connect", []),
        ("send", []),
        ("ping", ["-c", "1"]),
        ("bench", ["-d", "0.1", "-c", "1"]),
    ],
)
def test_a_command_imports_no_other_and_no_server(command, more, server):
    modules = modules_after(command, *more, f"127.0.0.1:{server.port}")
    assert commands_in(modules) == {command}
    assert packages_in(modules) <= {"client", "errors", "wire"}
    assert ("echoproto.cli.report" in modules) == (command == "bench")
    assert "twisted" not in modules


def test_a_target_that_is_right_starts_no_search_for_what_was_meant(server):
    assert "difflib" not in modules_after(f"127.0.0.1:{server.port}")


def test_wrong_usage_is_found_without_the_client():
    modules = modules_after("bench", "localhost:1", "-c", "none", status=2)
    assert "asyncio" not in modules


def test_options_of_the_default_command_are_in_the_help_of_the_group():
    for words in (["--help"], ["-h"], ["connect", "--help"]):
        shown = run(BIN / "echoproto", *words).stdout.decode()
        for option in ("-w, --wait", "--eol", "--telnet", "-k, --insecure", "-C, --crlf", "-i, --"):
            assert f"\n  {option}" in shown


def test_what_is_no_command_is_a_target():
    done = run(BIN / "echoproto", "pong")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].startswith("Error: pong: the port is missing; ")


def test_a_module_to_run_is_the_same():
    done = run(sys.executable, "-m", "echoproto", "--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"echoproto, version ")
