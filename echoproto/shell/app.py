"""Runs the shell: joins the connections, the session, and the screen on which the user sees it.

`cli.connect` calls `run_shell`. `session`, `connector` and `screen` are below this module.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from echoproto.client.connection import connect
from echoproto.client.notice import show_on
from echoproto.shell.connector import Connector
from echoproto.shell.history import open_history
from echoproto.shell.screen import Screen
from echoproto.shell.session import Session
from echoproto.shell.settings import Settings
from echoproto.shell.tls_advice import TLSAdvice
from echoproto.shell.watcher import Watcher
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import SHELL_POLICY, SHELL_TERMINAL_TYPE
from echoproto.wire.telnet.scanner import SIGNS_OF_SERVER
from echoproto.wire.wire_view import WireView

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from typing import NamedTuple

    from prompt_toolkit.history import History

    from echoproto.client.connection import ClientConnection
    from echoproto.client.opening import OnAttempt
    from echoproto.client.target import Target
    from echoproto.client.wire_outputs import WireOutputs
    from echoproto.wire.tap import WireEvent
    from echoproto.wire.telnet.scanner import TelnetMode

MAX_WIRE_ROWS: Final = 16
"""Largest number of rows of hex to show of what one call of the socket has moved."""


@dataclass(frozen=True)
class Options:
    """How the shell connects, as the command line says it."""

    wait: float | None = None
    """Time limit for connecting, in seconds; None leaves the limit to the system."""
    insecure: bool = False
    """Whether a TLS connection accepts any certificate."""
    telnet: TelnetMode | None = None
    """When a connection is telnet. None means "always" for telnet:// and "auto" for the others."""
    once: bool = False
    """Whether the shell ends when the peer closes the connection."""
    reconnect: bool = False
    """Whether the shell connects again by itself."""
    wait_open: bool = False
    """Whether the first connection waits until something listens on the target."""
    settings: Settings = field(default_factory=Settings)
    outputs: WireOutputs | None = None
    """Where to write what is on the wire."""

    def codec(self, target: Target) -> TelnetCodec:
        """Return the telnet codec for a connection to `target`."""
        mode = self.telnet or "auto"
        if target.is_telnet and self.telnet in (None, "never"):  # the user may open telnet:// later
            mode = "always"
        # AYT gets no answer: the server would take the answer for input from the user.
        return TelnetCodec(
            SHELL_POLICY,
            mode=mode,
            signs=SIGNS_OF_SERVER,
            ayt=b"",
            terminal_type=SHELL_TERMINAL_TYPE,
        )

    def connect(
        self,
        target: Target,
        codec: TelnetCodec,
        on_event: Callable[[NamedTuple], object],
        *,
        on_attempt: OnAttempt,
        wait_open: bool,
    ) -> AbstractAsyncContextManager[ClientConnection]:
        """Connect to `target`."""
        return connect(
            target,
            self.wait,
            insecure=self.insecure and target.is_tls,
            telnet=codec,
            on_event=on_event,
            on_wire=self.outputs,
            on_attempt=on_attempt,
            wait_open=wait_open,
        )


async def run_shell(target: Target, options: Options, *, history: str) -> None:
    """Connect to `target`, and run the shell until the user ends it.

    `history` is the key of the history of lines, for `open_history`. Raises NetworkError if
    connecting fails; with `options.once`, also if the connection is lost.
    """
    session = Session(target, options.settings)
    lines = open_history(history, session.say)
    screen = Screen(session, history=lines, command_history=open_history("commands"))
    session.watchers.append(_Histories(screen, target, lines))
    await run(session, screen, options)


class _Histories(Watcher):
    """Gives the screen the history of each target. That of `target` is `history`."""

    def __init__(self, screen: Screen, target: Target, history: History) -> None:
        self._screen, self._target = screen, target
        self._histories = {target: history}

    def opened(self, target: Target) -> None:
        """See Watcher."""
        if target != self._target:
            self._target = target
            if target not in self._histories:
                self._histories[target] = open_history(str(target))
            self._screen.use_history(self._histories[target])


async def run(session: Session, screen: Screen, options: Options) -> None:
    """Run `session` on `screen`, as `run_shell` does."""
    session.display = screen
    session.watchers.append(TLSAdvice(session))
    if options.outputs is not None:
        options.outputs.say = session.say
        options.outputs.add(_wire_printer(session, options.telnet))
    connector = Connector(
        session,
        options.connect,
        options.codec,
        once=options.once,
        reconnect=options.reconnect,
        wait_open=options.wait_open,
        show=show_on(sys.stderr),
    )
    connecting = asyncio.create_task(connector.run())
    opening = asyncio.create_task(connector.ready.wait())
    try:
        await asyncio.wait({connecting, opening}, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            connecting.result()
        connected = f"Connected to {session.target.name}. " if session.is_open else ""
        _say(f"{connected}Ctrl-D quits, Ctrl-] opens the command line.")
        connecting.add_done_callback(lambda _: screen.end())
        try:
            await screen.run(connector.begin.set, connector.resize)
        except EOFError:
            if session.is_open:
                with screen.interrupted() as interrupted:
                    await connector.finish(interrupted)
        else:
            await connecting
    finally:
        for task in (connecting, opening):
            task.cancel()
        await asyncio.gather(connecting, opening, return_exceptions=True)


def _wire_printer(session: Session, telnet: TelnetMode | None) -> Callable[[WireEvent], None]:
    """Return a function that prints what is on the wire, while the settings say so."""
    mode = telnet or ("always" if session.target.is_telnet else "auto")
    view = WireView(mode, max_rows=MAX_WIRE_ROWS)

    def show(event: WireEvent) -> None:
        lines = view.lines(event)
        if session.settings.wire:
            shown = ([*line, ("", "\n")] for line in lines)
            session.display.print(
                [(f"class:{style}", text) for line in shown for style, text in line]
            )

    return show


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
