"""Runs the shell: joins the connections, the session, and the screen on which the user sees it.

`cli.connect` calls `run_shell`. `session`, `connector` and `screen` are below this module.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from echoproto.client.connection import connect
from echoproto.client.notice import show_on
from echoproto.shell.connector import Connector
from echoproto.shell.history import open_history
from echoproto.shell.screen import Screen
from echoproto.shell.session import Session
from echoproto.shell.settings import Settings
from echoproto.shell.silence import SilenceHint
from echoproto.shell.tls_advice import TLSAdvice
from echoproto.shell.watcher import Watcher
from echoproto.shell.wire_printer import WirePrinter
from echoproto.wire.telnet.clients import shell_codec

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from typing import NamedTuple

    from prompt_toolkit.history import History

    from echoproto.client.connection import ClientConnection
    from echoproto.client.opening import OnAttempt
    from echoproto.client.target import Target
    from echoproto.client.wire_outputs import WireOutputs
    from echoproto.wire.tap import OnWire
    from echoproto.wire.telnet.codec import TelnetCodec
    from echoproto.wire.telnet.scanner import TelnetMode


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
    record: str | None = None
    """The session file in which to record the first connection."""
    outputs: WireOutputs | None = None
    """Where to write what is on the wire."""

    def codec(self, target: Target) -> TelnetCodec:
        """Return the telnet codec for a connection to `target`."""
        mode = self.telnet or "auto"
        if target.is_telnet and self.telnet in (None, "never"):  # the user may open telnet:// later
            mode = "always"
        return shell_codec(mode)

    def connect(
        self,
        target: Target,
        codec: TelnetCodec,
        on_event: Callable[[NamedTuple], object],
        *,
        on_wire: OnWire,
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
            on_wire=on_wire,
            on_attempt=on_attempt,
            wait_open=wait_open,
        )


async def run_shell(target: Target, options: Options, *, history: str) -> None:
    """Connect to `target`, and run the shell until the user ends it.

    `history` is the key of the history of lines, for `open_history`. Raises NetworkError if
    connecting fails; with `options.once`, also if the connection is lost. Raises OSError if the
    file of `options.record` exists already or cannot be made.
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
    session.watchers += [SilenceHint(session), TLSAdvice(session)]
    if options.record is not None:
        session.recording.start(options.record)
    wire = WirePrinter(session)
    if options.outputs is not None:
        options.outputs.say = session.say
        options.outputs.add(wire)

    def new_codec(target: Target) -> TelnetCodec:
        codec = options.codec(target)
        wire.begin(codec)
        return codec

    connector = Connector(
        session,
        partial(options.connect, on_wire=options.outputs or wire),
        new_codec,
        once=options.once,
        reconnect=options.reconnect,
        wait_open=options.wait_open,
        show=show_on(sys.stderr),
    )

    def resize(columns: int, rows: int) -> None:
        connector.resize(columns, rows)
        wire.width = columns

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
            await screen.run(connector.begin.set, resize)
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
        session.recording.stop()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
