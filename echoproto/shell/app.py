"""The shell: a session on a connection, and the screen on which a person sees it.

The peer is read only as fast as the terminal shows what it sends.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from echoproto.client.connection import connect
from echoproto.errors import NetworkError
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
"""Seconds that the peer has to send what it still has, after the last line is sent."""

TERMINAL_TYPE: Final = "dumb"
"""What a telnet server is told: it had better not draw."""


async def run_shell(
    target: Target,
    *,
    wait: float | None,
    insecure: bool,
    line_end: bytes | None,
    telnet: TelnetMode,
    history: str,
) -> None:
    """Connect to `target` and run the shell until the user or the peer ends it.

    `wait` is the most seconds that connecting may take; with `insecure` any certificate will do.
    `line_end` is that of `Session`. `telnet` says whether the connection is telnet; "auto" is once
    the server shows it. The history of lines is the one kept under the name `history`. Raises
    NetworkError.
    """
    session = open_session(telnet, line_end)
    async with connect(
        target, wait, insecure=insecure, telnet=session.codec, on_event=session.handle_event
    ) as connection:
        lines, problem = open_history(history)
        screen = Screen(session, history=lines, command_history=open_history("commands")[0])
        notice = f"Connected to {target.name}. Ctrl-D ends, Ctrl-] is for commands."
        _say("\n".join(filter(None, [notice, problem])))
        if await talk(connection, session, screen):
            _say(f"{target.name} closed the connection.")


def open_session(telnet: TelnetMode, line_end: bytes | None) -> Session:
    """A session that is yet to be connected."""
    # No answer to AYT: it would be typed to the server.
    codec = TelnetCodec(SHELL_POLICY, mode=telnet, ayt=b"", terminal_type=TERMINAL_TYPE)
    return Session(codec, line_end=line_end)


async def talk(connection: ClientConnection, session: Session, screen: Screen) -> bool:
    """Run until the user ends it, or the peer: then True. Raises NetworkError."""
    session.display = screen
    tasks: list[asyncio.Task[None]] = []

    def start() -> None:
        tasks.append(asyncio.create_task(session.receive_from(connection)))
        tasks.append(asyncio.create_task(session.send_to(connection)))
        tasks[0].add_done_callback(lambda _: screen.end())

    try:
        await screen.run(start, connection.resize)
    except EOFError:
        session.end()
        with suppress(TimeoutError, NetworkError):
            await asyncio.wait_for(tasks[0], LINGER)
        return False
    else:
        await tasks[0]
        return True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
