"""How a command runs, and with which exit status it ends.

As in ncat: 0 done, 1 a network error, 2 wrong usage or anything else, 130 Ctrl-C.
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
    """End with the exit status `status`, and a line that says why."""
    click.echo(f"echoproto: {why}", err=True)
    raise SystemExit(status)


def is_terminal(*fds: int) -> bool:
    """Whether all of `fds` are a terminal on which the cursor can be moved."""
    return all(map(os.isatty, fds)) and os.environ.get("TERM") != "dumb"


def run(coroutine: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run to the end, or to an exit status and a line that says why. If `fast`, on uvloop."""
    import asyncio
    import signal

    from echoproto.errors import NetworkError

    received: list[int] = []

    async def until_signal() -> T:
        # What asyncio.run does for SIGINT by itself can miss one that comes as it goes to sleep.
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
        # Who reads our output has enough; nothing more is to be said, or flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
        raise SystemExit(1) from None
    except OSError as error:
        fail(str(error), 2)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise SystemExit(128 + (received or [signal.SIGINT])[0]) from None


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for this platform
        return None
    return uvloop.new_event_loop
