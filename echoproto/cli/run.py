"""Runs the program and its commands, and ends it with an exit status.

As in ncat, the status is 0 after success, 1 after a network error, and 2 after wrong usage or any
other error. After a signal, it is 128 plus the number of the signal: 130 after Ctrl-C.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from echoproto.cli import signals

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from _typeshed import ReadableBuffer as Buffer

T = TypeVar("T")

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2

NAMES: Final = {STDIN: "standard input", STDOUT: "standard output"}
"""The names of open descriptors, for messages about an OSError whose `filename` is a descriptor."""


def fail(why: str, status: int) -> NoReturn:
    """Print `why` on standard error and exit with `status`."""
    with suppress(OSError):  # there is no other place to say it
        click.echo(f"echoproto: {why}", err=True)
    raise SystemExit(status)


def is_terminal(*fds: int) -> bool:
    """Whether all of `fds` are a terminal that can move its cursor."""
    return all(map(os.isatty, fds)) and os.environ.get("TERM") != "dumb"


def run_program(program: Callable[[], object]) -> NoReturn:
    """Run `program`, which parses the command line and runs a command, and exit.

    If it fails, print what was wrong. The exit status is the number that `program` returns or exits
    with, and 2 for wrong usage and for any other error of the system. If standard output is closed
    or cannot be written, that is such an error. If its reader has closed it, the status is 1, and
    nothing is printed.
    """
    _prepare_standard_streams()
    try:
        status = program()
        sys.stdout.flush()
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        status = error.exit_code
    except BrokenPipeError:
        status = 1
    except OSError as error:
        fail(_explain(error), 2)
    finally:
        _discard_unwritten()
    raise SystemExit(status)


def run(coroutine: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run `coroutine` and return its result. With `fast`, use uvloop where it is installed.

    A signal that ends the program cancels `coroutine` first. Then exit with 128 plus the number of
    the signal, unless it was SIGINT and `coroutine` returned a result all the same. A second signal
    ends the program at once. After a NetworkError, print its message and exit with status 1.
    """
    import asyncio

    from echoproto.errors import NetworkError

    received: list[int] = []

    async def until_signal() -> T:
        task = asyncio.ensure_future(coroutine)

        def stop(number: int) -> None:
            if received:
                os._exit(128 + number)
            received.append(number)
            task.cancel()

        with signals.Handlers(stop, asyncio.get_running_loop()):
            return await task

    try:
        with asyncio.Runner(loop_factory=_uvloop() if fast else None) as runner:
            result = runner.run(until_signal())
    except BaseException as error:
        if not received:
            if isinstance(error, NetworkError):
                fail(str(error), 1)
            if not isinstance(error, KeyboardInterrupt):  # it is a SIGINT too
                raise
            received.append(signal.SIGINT)
    else:
        if received in ([], [signal.SIGINT]):
            return result
    raise SystemExit(128 + received[0])


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except Exception:  # noqa: BLE001 - it does not exist for this platform, or is broken
        return None
    return uvloop.new_event_loop


class _StandardOutput(io.FileIO):
    """Standard output. The `filename` of its errors is the descriptor."""

    def write(self, data: Buffer, /) -> int:
        """See io.RawIOBase."""
        try:
            return super().write(data)
        except OSError as error:
            error.filename = self.fileno()
            raise


def _prepare_standard_streams() -> None:
    """Make standard output one whose errors are named, and see to the streams that are closed.

    Without something in its place, the next file or socket would get the number of a closed stream.
    It would be read as the input, or receive the messages for the user.
    """
    output = sys.stdout
    if sys.stdin is None:
        os.open(os.devnull, os.O_WRONLY)  # reading it fails, as it must
    if output is None:
        os.open(os.devnull, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if output is None:
        fail("standard output is closed", 2)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_StandardOutput(STDOUT, "w", closefd=False)),
        encoding=output.encoding,
        errors="backslashreplace",  # for a locale without, for example, the sign for micro
        line_buffering=bool(output.line_buffering),
    )


def _discard_unwritten() -> None:
    """Discard what standard output and error could not write: Python would try it again at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _explain(error: OSError) -> str:
    """Return the text for the user: what failed, if that is known, and why."""
    what = NAMES.get(error.filename, error.filename)
    if what is None:
        return error.strerror or str(error)
    return f"{what} is closed" if error.errno == errno.EBADF else f"{what}: {error.strerror}"
