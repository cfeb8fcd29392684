"""`Stack`: the layers of a connection on the server, and the handling of their events.

Only a connection with at least one layer has a stack: TLS, from the first byte or from `startTLS`
on; telnet, as soon as the client negotiates it.
"""

from __future__ import annotations

import ssl
from operator import length_hint
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IHandshakeListener
from twisted.python.failure import Failure

from echoproto.server.backpressure import MAX_TURN_INPUT
from echoproto.server.ending import EndingEvent
from echoproto.server.telnet_layer import KEYS_OF_EL, ServerTelnet, may_be_telnet
from echoproto.wire.layer import DataReceived, Ended, Layer, Pipeline, Reply
from echoproto.wire.telnet.commands import Command, CommandReceived, TelnetStarted
from echoproto.wire.tls import HandshakeCompleted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.server.connection import ServerConnection
    from echoproto.wire.telnet.negotiation import Side
    from echoproto.wire.telnet.scanner import TelnetMode
    from echoproto.wire.tls import TLS

IAC: Final = 0xFF
"""A number: to search bytes for a number is eight times as fast as for a bytes of length 1."""

_EOF: Final = CommandReceived(int(Command.EOF))  # comparing with a member of an enum is slow


class _Closed(Layer):
    """The layer of a connection that is lost: drops what is sent."""

    def send(self, data: bytes) -> bytes:  # noqa: ARG002
        """Drop `data`."""
        return b""


class Stack:
    """The layers of `connection`, from the wire upwards."""

    __slots__ = ("_arrived", "_connection", "_ended", "_pipeline", "_unsent", "telnet", "tls")

    def __init__(self, connection: ServerConnection) -> None:
        self.tls: TLS | None = None
        self.telnet: ServerTelnet | None = None
        self._connection = connection
        self._pipeline = Pipeline()
        self._arrived = b""  # not passed to the layers yet
        self._ended = False  # the peer has half-closed; `_arrived` comes before that
        self._unsent: list[bytes] | None = None  # written while events are handled

    def add_tls(self, tls: TLS) -> None:
        """Add TLS below all other layers."""
        self.tls = tls
        self._pipeline = Pipeline([tls, *self._pipeline.layers])

    def take_rest(self) -> bytes:
        """Send what was written, and take what has arrived and was not delivered."""
        self.flush()
        rest = self.telnet.take_rest() if self.telnet is not None else b""
        rest, self._arrived = rest + self._arrived, b""
        return rest

    def add_telnet(self, mode: TelnetMode) -> ServerTelnet:
        """Add telnet on top."""
        self.telnet = ServerTelnet(self._connection.protocol, mode)
        self._pipeline = Pipeline([*self._pipeline.layers, self.telnet])
        return self.telnet

    # Receiving

    def receive(self, data: bytes) -> None:
        """Handle data that has arrived; without data, continue after a pause."""
        if self._arrived or (self.telnet is not None and len(data) > MAX_TURN_INPUT):
            self._arrived += data
            self._receive_in_pieces()
            return
        connection, tls = self._connection, self.tls
        if (
            data
            and tls is not None
            and len(self._pipeline.layers) == 1
            and connection.ending is None
            and self._unsent is None
            and not connection.paused
        ):
            plain, data = tls.take(data), b""
            if plain:
                self._deliver_alone(plain)
            if plain is not None and self.telnet is None and not tls.has_more:
                return
        if connection.ending is None or not (connection.is_lost or self._ignores_all):
            self._take(self._pipeline.receive(data))

    def _receive_in_pieces(self) -> None:
        """Handle what has arrived, one piece in a turn."""
        connection, piece = self._connection, b""
        while self._take(self._pipeline.receive(piece)) and self._arrived:
            if piece:
                connection.end_turn()
                if connection.paused:
                    return
            size = len(self._arrived) if self.telnet is None else MAX_TURN_INPUT
            piece, self._arrived = self._arrived[:size], self._arrived[size:]
        if connection.is_lost:
            return
        if self._ignores_all:
            self._arrived = b""
        if not self._arrived:
            self._remove_if_empty()
            if self._ended:
                self._ended = False
                self.eof()

    def _deliver_alone(self, data: bytes) -> None:
        """Deliver data without going through events: the fast path for a TLS record."""
        self._unsent = []
        try:
            self._deliver(data)
        finally:
            if self._unsent:
                self.flush()
            self._unsent = None

    def eof(self) -> None:
        """Handle the half-close of the peer, below all layers."""
        if self._ignores_all:  # ignore also what is pending in the layers
            self._connection.handle_ending(EndingEvent.PEER_ENDED)
        elif self._arrived:
            self._ended = True
        else:
            self._take(self._pipeline.eof())

    def _take(self, events: Iterator[Any]) -> bool:
        """Handle events, up to a pause: the layers keep the rest. Return whether there is no rest.

        Data written meanwhile is sent when all events are handled, in one write: a chunk may
        contain a thousand commands, each with a reply.
        """
        connection, pipeline = self._connection, self._pipeline
        if connection.paused or self._unsent is not None:
            return False  # continued on resume, or by the loop that is calling us
        self._unsent = []
        is_done = False
        try:
            is_done = self._handle_events(events)
        except ssl.SSLError as error:
            # Without its frames, which refer to the connection.
            connection.reason = Failure(error.with_traceback(None))
            connection.handle_ending(EndingEvent.CLOSE)
            connection.handle_ending(EndingEvent.PEER_ENDED)  # the layer will give no Ended
        finally:
            if self._unsent:
                self.flush()
            self._unsent = None
        if connection.is_lost:
            return False
        if self._pipeline is not pipeline:
            self.receive(b"")  # the new pipeline has the rest
        elif self.telnet is not None and not (connection.paused or self._ignores_all):
            self._settle_telnet(self.telnet)
        return is_done

    def _handle_events(self, events: Iterator[Any]) -> bool:
        connection, pipeline = self._connection, self._pipeline
        while True:
            budget = connection.budget
            for _, event in zip(budget, events, strict=False):
                if type(event) is not DataReceived:
                    self._handle(event)
                elif connection.ending is None or connection.is_open:
                    self._deliver(event.data)
                if connection.paused or self._pipeline is not pipeline:
                    return False
                if connection.ending is not None and self._ignores_all:
                    return False
            if length_hint(budget):
                return True
            if budget is connection.budget:
                connection.end_turn()
            if connection.paused:
                return False

    @property
    def peer_answers_end(self) -> bool:
        """Whether the peer will answer the end of our side: on TLS, after the handshake."""
        return self.tls is not None and (self.tls.is_established or self.tls.pending > 0)

    @property
    def _ignores_all(self) -> bool:
        """Whether to ignore further data. On TLS, close_notify must still be read."""
        return not self._connection.is_open and self.tls is None

    def _deliver(self, data: bytes) -> None:
        protocol = self._connection.protocol
        if (telnet := self.telnet) is not None:
            if telnet.after_el:
                telnet.after_el = False
                if data[0] in KEYS_OF_EL and telnet.is_nvt:
                    data = data[1:]
        elif IAC in data and may_be_telnet(protocol):
            self.add_telnet("auto").receive(data)  # pending in the new pipeline
            return
        if data:
            protocol.dataReceived(data)

    def _handle(self, event: Any) -> None:
        connection, kind = self._connection, type(event)
        if kind is Reply:
            self._write(event.data)
        elif kind is Ended:
            connection.handle_ending(EndingEvent.PEER_ENDED)
        elif kind is HandshakeCompleted:  # perhaps after we have closed: what waited is then sent
            connection.end_handshake()
            if connection.is_open and IHandshakeListener.providedBy(connection.protocol):
                connection.protocol.handshakeCompleted()
        elif connection.ending is not None and not connection.is_open:
            pass  # ignore everything after telnet's EOF, and after we have closed
        elif self.telnet is not None:
            if kind is TelnetStarted:
                connection.telnet_started()
            self.telnet.dispatch(event)
            if event == _EOF:
                connection.handle_ending(EndingEvent.PEER_EOF)

    def _settle_telnet(self, telnet: ServerTelnet) -> None:
        """Remove the layer as soon as the client has shown that it is not telnet.

        While that is undecided, notify the protocol of the pending bytes.
        """
        connection = self._connection
        if telnet.is_plain:
            connection.protocol.telnet = "never"
            self.telnet = None
            self._pipeline = Pipeline([it for it in self._pipeline.layers if it is not telnet])
            self._remove_if_empty()
        elif telnet.pending and not (telnet.is_telnet or connection.read_lost):
            connection.protocol.undecidedDataReceived(telnet.pending)

    def _remove_if_empty(self) -> None:
        if not (self._pipeline.layers or self._arrived):
            self._connection.stack = None

    def let_go(self) -> None:
        """Drop the layers, and what refers back to the connection, which is lost.

        What the protocol writes from now on is dropped, and not sent in the clear.
        """
        self.tls = self.telnet = None
        self._pipeline = Pipeline([_Closed()])
        self._arrived, self._unsent = b"", []
        del self._connection

    # Sending

    def send(self, data: bytes) -> None:
        """Send data that the protocol has written."""
        wire = self._pipeline.send(data)
        if wire and self._unsent is not None:
            self._unsent.append(wire)
        elif wire:
            self._connection.transport.write(wire)

    def request(self, side: Side, option: int, *, on: bool) -> None:
        """Request a telnet option."""
        assert self.telnet is not None  # noqa: S101 - the connection has checked
        self._write(
            self._pipeline.send_below(self.telnet, self.telnet.request(side, option, on=on))
        )

    def finish(self) -> None:
        """Send pending data, and then notify the peer that it was the last (close_notify)."""
        self.flush()
        if last := self._pipeline.finish():
            self._connection.transport.write(last)

    def flush(self) -> None:
        """Send what was written while events were handled."""
        if self._unsent:
            unsent, self._unsent = self._unsent, []
            self._connection.transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))

    def _write(self, wire: bytes) -> None:
        if self._unsent is None:
            self._connection.transport.write(wire)
        else:
            self._unsent.append(wire)
