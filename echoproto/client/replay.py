"""Replays a session file on an open connection: `replay`.

It sends what the session sends as soon as all that the session expects before it has come. The
first difference ends it: what came is not what the session expects, or does not come in time.

While data is sent, what comes is received too: neither side waits for the other to read. What comes
is kept in memory up to MAX_BUFFERED bytes.

`wire.session_player` compares. `cli.replay` runs this module and prints a `Difference`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from echoproto.client.network_errors import in_seconds
from echoproto.errors import NetworkError, NotTelnetError
from echoproto.wire.dump import escape
from echoproto.wire.session_entries import HalfClose, SendCommand
from echoproto.wire.session_file import CLOSE
from echoproto.wire.session_player import Differs, Player, SendData, Waiting
from echoproto.wire.session_text import write_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from echoproto.client.connection import ClientConnection
    from echoproto.wire.session_entries import Entry, Expect, SessionFile

TIMEOUT: Final = 10.0
"""Seconds that each expected line may take, if neither the file nor the user says otherwise."""

MAX_BUFFERED: Final = 1 << 26
"""Number of bytes that came and were not compared yet, above which nothing more is received."""

MAX_SHOWN: Final = 200
"""Largest number of characters of a line that a difference shows."""

SETTLE: Final = 0.5
"""Seconds to wait for the rest of a line that differs, to show all of it."""

_BEFORE: Final = 20  # characters of a long line to show before the difference


@dataclass(frozen=True)
class Difference:
    """The first difference between a session and its file.

    `where` is FILE:LINE, and `why` says in words what happened. `expected` is the line of the file.
    `got` is what came, as a line of the file would say it; empty if nothing came. `notes` are the
    values of the variables in the line that were found during the session.
    """

    where: str
    why: str
    expected: str
    got: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the difference as lines of text that are safe to print."""
        expected, got = _around_difference(self.expected, self.got)
        lines = [f"{self.where}: {self.why}", f"  -{expected}"]
        if got:
            lines.append(f"  +{got}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


async def replay(
    connection: ClientConnection,
    session: SessionFile,
    values: Mapping[str, bytes],
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - it limits each step, not the whole
) -> Difference | None:
    """Run through `session` on `connection`. Return the first difference, or None.

    `values` are the values of variables that the user gives; no difference shows them. `timeout` is
    in seconds, for each expected line, where the file does not set another.
    """
    replaying = _Replay(connection, session, values, timeout)
    receiving = asyncio.create_task(replaying.receive())
    try:
        return await replaying.run()
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


class _Replay:
    """One run through a session."""

    def __init__(
        self,
        connection: ClientConnection,
        session: SessionFile,
        values: Mapping[str, bytes],
        timeout: float,
    ) -> None:
        self._connection, self._name, self._timeout = connection, session.name, timeout
        self._player = Player(session, values)
        self._secrets = {value: name for name, value in values.items()}
        self._changed = asyncio.Event()  # something has come, or has been taken
        self._lost: NetworkError | None = None
        self._waiting: Expect | None = None  # what is waited for, up to the deadline
        self._deadline = 0.0

    async def receive(self) -> None:
        """Pass what comes to the player, until the end."""
        try:
            while data := await self._connection.receive():
                self._player.receive(data)
                self._changed.set()
                while self._player.buffered > MAX_BUFFERED:
                    self._changed.clear()
                    await self._changed.wait()
        except NetworkError as error:
            self._lost = error
        self._player.eof()
        self._changed.set()

    async def run(self) -> Difference | None:
        """Run through the session. Return the first difference."""
        while step := self._player.step():
            match step:
                case Waiting(entry):
                    why = await self._wait_for(entry)
                case Differs(entry):
                    await self._settle()
                    why = self._end() if self._player.has_ended else "it differs"
                case SendData(data, entry):
                    why = "" if await self._send(data) else self._end()
                case SendCommand() as entry:
                    why = self._send_command(entry)
                case HalfClose():
                    await self._connection.send_eof()
                    continue
                case _:
                    assert_never(step)
            if why:
                return self._difference(entry, why)
        return None

    async def _wait_for(self, entry: Expect) -> str:
        """Wait until something comes for `entry`. Return what is wrong, or an empty text."""
        limit = entry.timeout or self._timeout
        if entry is not self._waiting:
            self._waiting = entry
            self._deadline = asyncio.get_running_loop().time() + limit
        in_time = await self._wait(self._deadline)
        return "" if in_time else f"it did not come in {in_seconds(limit)}"

    def _send_command(self, entry: SendCommand) -> str:
        """Send a telnet command. Return what is wrong, or an empty text."""
        try:
            self._connection.send_command(entry.command)
        except NotTelnetError as error:
            return f"{error}; give --telnet always"
        return ""

    async def _send(self, data: bytes) -> bool:
        """Send `data`. Return False if the server does not take it."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._connection.send(data)
        except NetworkError as error:
            self._lost = self._lost or error
        except TimeoutError:
            self._lost = NetworkError(f"the server took no data for {in_seconds(self._timeout)}")
        return False

    async def _wait(self, deadline: float) -> bool:
        """Wait until something comes. Return False if nothing does until `deadline`."""
        self._changed.set()  # the player has taken what there was: `receive` may go on
        self._changed = asyncio.Event()
        try:
            async with asyncio.timeout_at(deadline):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _settle(self) -> None:
        """Wait for the rest of the line that differs."""
        deadline = asyncio.get_running_loop().time() + SETTLE
        while not self._player.has_ended and not self._player.got.endswith(b"\n"):
            if not await self._wait(deadline):
                return

    def _end(self) -> str:
        """Return how the connection has ended."""
        return str(self._lost) if self._lost else "the server closed the connection"

    def _difference(self, entry: Entry, why: str) -> Difference:
        got = self._player.got
        text = f"< {write_line(got, entry.line_end, self._secrets)}" if got else ""
        if not got and self._player.has_ended:
            text = f"<! {CLOSE}"
        notes = [
            f"${{{name}}} is {write_line(self._player.values[name], b'', self._secrets)}"
            for name in sorted(entry.used_variables - {*self._secrets.values()})
            if name in self._player.values
        ]
        expected = escape(entry.source.encode())
        return Difference(f"{self._name}:{entry.line}", why, expected, text, tuple(notes))


def _around_difference(*lines: str) -> list[str]:
    """Return `lines`, cut around their first difference if they are long."""
    same = next(
        (at for at, (one, other) in enumerate(zip(*lines, strict=False)) if one != other),
        min(map(len, lines)),
    )
    start = max(0, same - _BEFORE) if max(map(len, lines)) > MAX_SHOWN else 0
    return [
        f"{'...' * (start > 0)}{line[start : start + MAX_SHOWN]}"
        f"{'...' * (len(line) > start + MAX_SHOWN)}"
        for line in lines
    ]
