"""What a feature of the shell can watch: everything that is sent and received, as it happens.

A feature that only needs to know (a recording, the time of a reply, a hint about silence) is a
`Watcher`. `session` notifies its watchers. To print, they call `Session.say` or `Display.print`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple

    from echoproto.client.target import Target
    from echoproto.shell.outbox import Outgoing


class Watcher:
    """The base class of watchers: it ignores everything."""

    def opened(self, target: Target) -> None:
        """Handle a connection to `target`, which has just been opened."""

    def sent(self, outgoing: Outgoing) -> None:
        """Handle an item, just before it is sent: data, a part of a file, or a command."""

    def received(self, data: bytes) -> None:
        """Handle data that has just arrived, before it is shown."""

    def settled(self) -> None:
        """Handle that no data has followed the start of a line for a while: it may be a prompt."""

    def notified(self, event: NamedTuple) -> None:
        """Handle an event of the telnet codec."""

    def half_closed(self) -> None:
        """Handle the end of the local side, just before the connection is half-closed."""

    def received_eof(self) -> None:
        """Handle that the peer sends no more."""

    def closed(self) -> None:
        """Handle the end of the connection, whoever closed it."""
