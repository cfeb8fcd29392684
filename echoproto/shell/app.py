"""Runs the shell: joins a connection, a session, and the screen on which the user sees the session.

The shell receives from the peer only as fast as the terminal prints.

`cli.connect` calls `run_shell`. `session`, `screen` and `client.connection` are below this module.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from echoproto.client.connection import connect
from echoproto.shell.history import open_history
from echoproto.shell.screen import Screen
from echoproto.shell.session import Session
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import SHELL_POLICY

if TYPE_CHECKING:
    from echoproto.client.connection import ClientConnection
    from echoproto.client.target import Target
    from echoproto.wire.telnet.scanner import TelnetMode

LINGER: Final = 1.0
"""Seconds without data after which an answer is complete, once the user has ended the session."""

UNANSWERED: Final = 10.0
"""Seconds to wait for an answer to begin, once the user has ended the session."""

TERMINAL_TYPE: Final = "dumb"
"""Terminal type that the shell reports to a telnet server (RFC 1091).

Servers do not draw on a "dumb" terminal.
"""


async def run_shell(
    target: Target,
    *,
    wait: float | None,
    insecure: bool,
    line_end: bytes | None,
    telnet: TelnetMode,
    history: str,
) -> None:
    """Connect to `target`, and run the shell until the user or the peer ends the session.

    `wait` limits the time for connecting, in seconds; None leaves the limit to the system. With
    `insecure`, a TLS connection accepts any certificate. `line_end` is passed to `Session`.
    `telnet` is "always", "never", or "auto": the connection is telnet as soon as the server
    negotiates it. `history` is the key of the history of lines, for `open_history`.

    Raises NetworkError if connecting fails or the connection is lost.
    """
    session = open_session(telnet, line_end)
    async with connect(
        target, wait, insecure=insecure, telnet=session.codec, on_event=session.handle_event
    ) as connection:
        screen = Screen(
            session,
            history=open_history(history, session.say),
            command_history=open_history("commands"),
        )
        _say(f"Connected to {target.name}. Ctrl-D quits, Ctrl-] opens the command line.")
        if await talk(connection, session, screen):
            _say(f"{target.name} closed the connection.")


def open_session(telnet: TelnetMode, line_end: bytes | None) -> Session:
    """Return a session that has no connection yet."""
    # AYT gets no answer: the server would take the answer for input from the user.
    codec = TelnetCodec(SHELL_POLICY, mode=telnet, ayt=b"", terminal_type=TERMINAL_TYPE)
    return Session(codec, line_end=line_end)


async def talk(connection: ClientConnection, session: Session, screen: Screen) -> bool:
    """Run `session` on `connection` until one side ends it.

    Returns False if the user ended the session, and True if the peer did. Raises NetworkError if
    the connection is lost.
    """
    session.display = screen
    tasks: list[asyncio.Task[None]] = []

    def start() -> None:
        tasks.append(asyncio.create_task(session.receive_from(connection)))
        tasks.append(asyncio.create_task(session.send_to(connection)))
        tasks[0].add_done_callback(lambda _: screen.end())

    try:
        await screen.run(start, connection.resize)
    except EOFError:
        # On TLS, most servers close at our close_notify. Therefore it follows the answer.
        is_tls = connection.target.is_tls
        if not is_tls:
            session.end()
        with screen.interrupted() as interrupted:
            await _linger(session, [tasks[0], interrupted])
            if is_tls and not interrupted.done():
                session.end()
                await asyncio.wait([tasks[1]], timeout=LINGER)
        return False
    else:
        await tasks[0]
        return True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _linger(session: Session, ends: list[asyncio.Future[None]]) -> None:
    """Wait for the answer, until one of `ends` is done. If that takes long, say how to end it."""

    def left() -> float:
        is_answered = session.received_at >= session.sent_at
        silent_since = max(session.received_at, session.sent_at)
        return silent_since + (LINGER if is_answered else UNANSWERED) - now()

    now = asyncio.get_running_loop().time
    done, _ = await asyncio.wait(ends, timeout=LINGER, return_when=asyncio.FIRST_COMPLETED)
    if not done and left() > 0:
        session.say("Waiting for the rest. Ctrl-D or Ctrl-C ends the shell at once.")
    while not done and (seconds := left()) > 0:
        done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
