"""`HandshakeTimeout`: resets a connection whose peer does not complete a TLS handshake."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from twisted.python.failure import Failure

from echoproto.server.backpressure import BY_PROTOCOL

if TYPE_CHECKING:
    from echoproto.server.connection import ServerConnection

HANDSHAKE_TIMEOUT: Final = 30.0
"""Timeout, in seconds, for the peer to complete a TLS handshake."""


class HandshakeTimeout:
    """The timeout of a handshake that begins now. Call `cancel` when it ends.

    While the protocol has paused the connection, the peer can do nothing: the time begins again.
    """

    __slots__ = ("_call", "_connection")

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._start()

    def cancel(self) -> None:
        """Let the connection be: the handshake has completed, or the connection is lost."""
        if self._call.active():
            self._call.cancel()

    def _start(self) -> None:
        self._call = self._connection.clock.callLater(HANDSHAKE_TIMEOUT, self._time_is_up)

    def _time_is_up(self) -> None:
        connection = self._connection
        if connection.paused & BY_PROTOCOL:
            self._start()
            return
        error = ssl.SSLError(f"the handshake was not completed in {HANDSHAKE_TIMEOUT:g} s")
        connection.reason = Failure(error)
        connection.abortConnection()
