"""Puts load on one connection with a session file: `SessionLoop` runs it again and again.

One run of the session is a message of `bench`: its latency is the time from its beginning to the
last line that it expects. What comes is compared as `replay` compares it. A connection on which
something differs is closed, and counts as an error.

A session that begins with what the server says first, or that ends the connection, needs a new
connection for each run; the latency then includes connecting. All other sessions run again on the
same connection. `needs_new_connections` tells which.

`bench` runs the load, `latency` records the times, and `wire.session_player` compares.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

from echoproto.client.load import peer_of
from echoproto.client.network_errors import reason
from echoproto.errors import NetworkError
from echoproto.wire.dump import escape
from echoproto.wire.session_entries import (
    Expect,
    ExpectClose,
    ExpectData,
    HalfClose,
    Send,
    SendCommand,
    SessionFile,
)
from echoproto.wire.session_player import Differs, Player, SendData, Waiting
from echoproto.wire.session_text import fill, write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from echoproto.client.load import Tally

MAX_SHOWN: Final = 80
"""Largest number of characters of a line to show in the reason of an error."""


@dataclass(frozen=True)
class SessionLoad:
    """A session as a load. `values` are the values of variables that the user gives.

    Raises ValueError if the session cannot be used as a load; the message says why.
    """

    session: SessionFile
    values: Mapping[str, bytes]

    def __post_init__(self) -> None:
        """Check that the session expects something, and needs no telnet."""
        for entry in self.session.entries:
            if isinstance(entry, SendCommand) or self.session.telnet == "always":
                raise ValueError("it is a session of telnet, which bench does not speak")
        if not any(isinstance(e, Expect) and _expects_bytes(e) for e in self.session.entries):
            raise ValueError("it expects nothing, so that there is nothing to measure")

    @property
    def needs_new_connections(self) -> bool:
        """Whether each run needs a connection of its own."""
        entries = self.session.entries
        server_ends = any(isinstance(entry, ExpectClose) for entry in entries)
        return self.half_closes or server_ends or not isinstance(entries[0], Send)

    @property
    def half_closes(self) -> bool:
        """Whether the session ends our side."""
        return any(isinstance(entry, HalfClose) for entry in self.session.entries)


def _expects_bytes(entry: Expect) -> bool:
    return not isinstance(entry, ExpectData) or bool(entry.data)


class SessionLoop(asyncio.Protocol):
    """A connection on which a session runs again and again.

    It has the same methods as `load.ClosedLoop`. `reopen` connects the protocol that it is called
    with; it raises NetworkError.
    """

    def __init__(
        self,
        load: SessionLoad,
        tally: Tally,
        reopen: Callable[[asyncio.Protocol], Coroutine[None, None, None]],
    ) -> None:
        self.is_open = self.is_closed = False
        self.received = 0
        """Number of bytes that have come."""
        self._tally, self._record = tally, tally.latencies.record
        self._reopen, self._reopens = reopen, load.needs_new_connections
        self._reopening: asyncio.Task[None] | None = None
        self._load = load
        self._player = Player(load.session, load.values)
        self._secrets = {value: name for name, value in load.values.items()}
        self._deadline = 0.0  # time from which no run begins
        self._began: float | None = None  # when the run began that is in progress

    @property
    def peer(self) -> str:
        """Address of the server; see `load.ClosedLoop`."""
        return peer_of(self._transport)

    @property
    def missing(self) -> int:
        """Number of bytes that the run in progress waits for, as far as that is known."""
        if self._began is None or self.unsent:
            return 0
        step = self._player.step()
        if isinstance(step, Waiting) and isinstance(step.entry, ExpectData):
            return len(fill(step.entry.data, self._player.values)) - self._player.buffered
        return 1

    @property
    def unsent(self) -> int:
        """Number of bytes that should have been sent, and have not left the program."""
        return self._transport.get_write_buffer_size() if self.is_open else 0

    def begin(self, deadline: float) -> None:
        """Begin the first run. Begin no more after `deadline`, a time of perf_counter."""
        if self.is_open:
            self._deadline = deadline
            self._begin_run(perf_counter())

    def end(self) -> None:
        """Begin no more runs."""
        self._deadline = 0.0

    def close(self) -> None:
        """Close the connection. `is_closed` becomes True when it is closed."""
        self.is_open = False
        if self._reopening and not self._reopening.done():
            self._reopening.cancel()
            self.is_closed = True
        self._transport.close()

    def abort(self) -> None:
        """Abort the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.received += len(data)
        self._player.receive(data)
        if self._began is not None:
            self._play()

    def eof_received(self) -> None:
        """See asyncio.Protocol. asyncio closes the transport after this."""
        self._player.eof()
        if self._began is not None:
            self._play()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self.is_open and self._began is None and self._deadline:
            self._reopening = asyncio.ensure_future(self._run_again())
            return
        self.is_closed = True
        if self.is_open and (self._began is not None or not self._reopens):
            self._fail(reason(exc) if exc else "closed by the server")

    async def _run_again(self) -> None:
        """Begin a run on a new connection."""
        began = perf_counter()
        self._player = Player(self._load.session, self._load.values)
        try:
            await self._reopen(self)
        except NetworkError as error:
            self._fail(str(error))
            self.is_closed = True
        else:
            self._begin_run(began)

    def _begin_run(self, now: float) -> None:
        self._began = now
        self._play()

    def _play(self) -> None:
        """Run through the session as far as what has come allows."""
        while self.is_open and self._began is not None:
            match self._player.step():
                case SendData(data):
                    self._transport.write(data)
                case HalfClose():
                    self._transport.write_eof()
                case Differs(entry):
                    self._fail(self._difference(entry))
                case None:
                    self._finish_run(self._began)
                case Waiting():
                    return
                case _:  # SendCommand: `SessionLoad` refuses a session that has one
                    raise TypeError

    def _finish_run(self, began: float) -> None:
        """Count the run, and begin the next one if there is time."""
        now = perf_counter()
        self._record(now - began)
        self._began = None
        if self._reopens:
            self._transport.close()  # `connection_lost` begins the next run
        elif now < self._deadline:
            self._player.restart()
            self._began = now

    def _difference(self, entry: Expect) -> str:
        """Return what differs, as one line."""
        if not self._player.got and self._player.has_ended:
            return "closed by the server"
        got = write_line(self._player.got, entry.line_end, self._secrets)[:MAX_SHOWN]
        expected = escape(entry.source.encode())[:MAX_SHOWN]
        return f"{self._load.session.name}:{entry.line}: received '< {got}' instead of '{expected}'"

    def _fail(self, why: str) -> None:
        self.is_open, self._began = False, None
        self._tally.errors[why] += 1
        self._transport.close()
