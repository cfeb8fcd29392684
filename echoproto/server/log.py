"""The log of connections: a line when one opens, when it becomes telnet, and when it ends."""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import Logger, LogLevel

from echoproto.server.reason import why_it_ended
from echoproto.server.registry import Observer

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from echoproto.server.connection import ServerConnection

log = Logger("echoproto")


def show_address(address: IAddress) -> str:
    """Return an address as people write it: HOST:PORT, [HOST]:PORT, or a Unix socket's path."""
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):
        # A client chooses its name; most have none.
        return f"unix:{repr(address.name)[2:-1]}" if address.name else "unix"
    return str(address)


class ConnectionLog(Observer):
    """An observer that logs connections.

    Two lines for each connection would be half of what a short connection costs, if Twisted made
    them: see `info`.
    """

    def connected(self, connection: ServerConnection) -> None:
        """Log the peer."""
        number, peer = connection.number, show_address(connection.getPeer())
        info(f"[{number}] {peer} connected", id=number, peer=peer)

    def telnet_started(self, connection: ServerConnection) -> None:
        """Log that the client is telnet."""
        info(f"[{connection.number}] speaks telnet", id=connection.number)

    def disconnected(self, connection: ServerConnection, reason: Failure) -> None:
        """Log how much was received, and why the connection ended, after the last of its lines."""
        if (line_log := getattr(connection.protocol, "_line_log", None)) is not None:
            line_log.end()
        number, peer = connection.number, show_address(connection.getPeer())
        received, seconds = connection.bytes_received, monotonic() - connection.opened
        lines: int | None = getattr(connection.protocol, "lines_received", None)
        counted = "" if lines is None else f"{lines} line{'s' * (lines != 1)}, "
        why = why_it_ended(connection, reason)
        info(
            f"[{number}] {peer} disconnected: {counted}{received} bytes, {seconds:.3f} s: {why}",
            id=number,
            peer=peer,
            lines=lines,
            bytes=received,
            seconds=seconds,
            why=why,
        )


def info(message: str, **fields: object) -> None:
    """Log `message` literally: braces in it are not format fields. `fields` are in the event.

    The event is the one that `log.info` would make. This takes a third of the time, and
    `program_log` writes it without formatting it again, which takes a tenth.
    """
    log.observer(
        {
            "log_logger": log,
            "log_level": LogLevel.info,
            "log_namespace": log.namespace,
            "log_source": None,
            "log_format": "{log_text}",
            "log_text": message,
            "log_time": time(),
            **fields,
        }
    )
