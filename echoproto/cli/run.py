"""Runs a command, and ends it with an exit status.

As in ncat, the status is 0 after success, 1 after a network error, 2 after wrong usage or any other
error, and 130 after Ctrl-C.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2


def fail(why: str, status: int) -> NoReturn:
    """Print `why` on standard error and exit with `status`."""
    click.echo(f"echoproto: {why}", err=True)
    raise SystemExit(status)


def is_terminal(*fds: int) -> bool:
    """Whether all of `fds` are a terminal that can move its cursor."""
    return all(map(os.isatty, fds)) and os.environ.get("TERM") != "dumb"


def run(coroutine: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run `coroutine` and return its result. With `fast`, use uvloop where it is installed.

    If it fails, print one line about the error and exit: with status 1 for a network error, and 2
    for another error of the system. After SIGINT or SIGTERM, exit with 128 plus the signal number.
    If the reader of standard output has closed it, exit with status 1 and print nothing.
    """
    import asyncio
    import signal

    from echoproto.errors import NetworkError

    received: list[int] = []

    async def until_signal() -> T:
        # asyncio.run handles SIGINT too, but can miss a signal just before the loop goes to sleep.
        task = asyncio.ensure_future(coroutine)

        def stop(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        return await task

    try:
        with asyncio.Runner(loop_factory=_uvloop() if fast else None) as runner:
            return runner.run(until_signal())
    except NetworkError as error:
        fail(str(error), 1)
    except BrokenPipeError:
        # The reader of our output has closed it. Print nothing more, and prevent a failing flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
        raise SystemExit(1) from None
    except OSError as error:
        fail(str(error), 2)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise SystemExit(128 + (received or [signal.SIGINT])[0]) from None


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except Exception:  # noqa: BLE001 - it does not exist for this platform, or is broken
        return None
    return uvloop.new_event_loop
