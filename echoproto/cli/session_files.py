"""What the commands share that take a session file: reading it, its target, and `--set`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

from echoproto.cli.run import fail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from echoproto.client.target import Target
    from echoproto.wire.session_entries import SessionFile


def _read_values(
    _context: click.Context, _param: click.Parameter, given: Sequence[str]
) -> dict[str, bytes]:
    """Parse the values of `--set`."""
    from echoproto.wire.session_text import NAME

    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (equals and re.fullmatch(NAME, name)):
            raise click.BadParameter(f"{text!r}: give NAME=VALUE, such as user=alice")
        values[name] = os.fsencode(value)
    return values


set_option = click.option(
    "--set",
    "values",
    multiple=True,
    callback=_read_values,
    metavar="NAME=VALUE",
    help="Value of the variable ${NAME} of a session, such as a password that was left out. May be "
    "given more than once.",
)


def read_session(name: str) -> SessionFile:
    """Read the session file `name`.

    Exits with status 2 and a message if it is not one. Raises OSError if it cannot be read.
    """
    from echoproto.errors import SessionFileError
    from echoproto.wire.session_file import parse

    try:
        return parse(_read(name), name)
    except SessionFileError as error:
        fail(str(error), 2)


def _read(name: str) -> bytes:
    with open(name, "rb") as file:  # noqa: PTH123 - a Path of "" is the current folder
        return file.read()


def target_of(session: SessionFile) -> Target:
    """Return the target that the file names.

    Exits with status 2 and a message if it is wrong. Raises click.UsageError if there is none.
    """
    from echoproto.client.target import Target
    from echoproto.errors import TargetError

    if not session.target:
        raise click.UsageError(f"{session.name} names no target: give TARGET after it")
    try:
        return Target.parse(session.target)
    except TargetError as error:
        fail(f"{session.name}:{session.target_line}: {error}", 2)


def check_values(values: Mapping[str, bytes], sessions: Sequence[SessionFile]) -> None:
    """Check that each variable of `sessions` has a value, and that each of `values` is used.

    Exits with status 2 and a message if one has none. Raises click.UsageError if one is not used.
    """
    from echoproto.errors import SessionFileError

    for session in sessions:
        try:
            session.check_variables(values)
        except SessionFileError as error:
            fail(str(error), 2)
    check_used(values, sessions)


def check_used(values: Mapping[str, bytes], sessions: Sequence[SessionFile]) -> None:
    """Raise click.UsageError if one of `values` is not used by any of `sessions`."""
    used = set[str]().union(*(session.used_variables for session in sessions))
    if unused := sorted({*values} - used):
        raise click.UsageError(f"--set {unused[0]}: no session has ${{{unused[0]}}}")
