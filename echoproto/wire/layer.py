"""The layers of a connection, and the pipeline that joins them. No I/O and no clock.

A layer (TLS, telnet) stands between the bytes on the wire below it and the bytes of the application
above it. It has three verbs:

- `receive(data)` takes bytes from below, and returns an iterator over the events that they mean.
- `send(data)` takes bytes from above, and returns the bytes to pass down.
- `eof()` notifies the layer that the peer has sent its last byte. It returns an iterator over the
  events that were pending, and then `Ended`.

A fourth method, `finish()`, ends the other direction: it notifies the layer that the application
has sent its last byte, and returns the bytes that notify the peer.

The rules of the iterators:

- A layer finds an event only when the iterator is asked for it. Anything that the application
  changes after one event is therefore in effect for the next.
- The caller may drop an iterator after any event. `receive(b"")` continues from there, with pending
  data and with an end that `eof` has reported.

There are three kinds of events:

- `DataReceived` goes to the layer above.
- `Reply` goes to the peer: it must be sent before anything that a later event makes the application
  send.
- All other events, `Ended` included, go to the application.

To use a pipeline, a connection does the following, whether Twisted or asyncio moves its bytes:

1. For each chunk that arrives, iterate over `pipeline.receive(data)`. After the peer has sent its
   last byte, iterate over `pipeline.eof()`. Send each `Reply` to the peer and act on every other
   event, in their order.
2. To send data of the application, send `pipeline.send(data)`. An empty pipeline changes nothing.
3. To end the local side, send `pipeline.finish()`, then half-close.

The layers (`tls`, `telnet.codec`) import this module. `ServerConnection` and `ClientConnection` are
above the pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class DataReceived(NamedTuple):
    """Bytes for the layer above, or for the application. `data` is never empty."""

    data: bytes


class Reply(NamedTuple):
    """Bytes to pass down at once, before anything that a later event makes the application send."""

    data: bytes


class Ended(NamedTuple):
    """The peer has sent its last byte.

    `clean` is false if a layer has its own way to mark the end, and the peer has not used it. A TLS
    connection without close_notify may have been cut off by a third party (RFC 8446, section 6.1).
    """

    clean: bool = True


class Layer:
    """A layer that changes nothing: the base class of the other layers.

    A subclass must take `data` when `receive` is called, not when its iterator is first used: an
    iterator that is dropped before its first event must lose nothing. Therefore `receive` itself
    must not be a generator function.
    """

    _arrived = b""  # received, but not yet yielded
    _has_ended = False  # `eof` was called, and `Ended` is not yet yielded

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Take `data` from below. Return the events of everything that is pending."""
        self._arrived += data
        return self._find_events()

    def eof(self) -> Iterator[NamedTuple]:
        """Handle the end of input from below. Return the pending events, then `Ended`."""
        self._has_ended = True
        return self._find_events()

    def _find_events(self) -> Iterator[NamedTuple]:
        if self._arrived:
            arrived, self._arrived = self._arrived, b""
            yield DataReceived(arrived)
        if self._has_ended:
            self._has_ended = False
            yield Ended()

    def send(self, data: bytes) -> bytes:
        """Take `data` from above. Return the bytes to pass down, which may be none for now."""
        return data

    def finish(self) -> bytes:
        """End the local side. Return the bytes that notify the peer, if the layer has any."""
        return b""


class Pipeline(Layer):
    """Several layers joined into one. `layers` lists them from the wire up.

    The pipeline keeps the bytes that have arrived, and the end of input, until the lowest layer
    takes them. An iterator can therefore be dropped after any event here too.
    """

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        self.layers = tuple(layers)
        self._arrived = b""  # received, but not yet passed to the lowest layer
        self._ended = False  # input has ended, but the lowest layer is not yet notified
        self._ended_cleanly = True  # no layer has reported an end that is not clean
        if len(self.layers) == 1:  # calling the one layer directly costs half as much
            only_layer = self.layers[0]
            for name in ("receive", "eof", "send", "finish"):
                setattr(self, name, getattr(only_layer, name))

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Take `data` at once. Return the events of everything pending, oldest data first."""
        self._arrived += data
        return self._find_events()

    def eof(self) -> Iterator[NamedTuple]:
        """Handle the end of input below all layers. Return the pending events, then `Ended`."""
        self._ended = True
        return self._find_events()

    def _find_events(self) -> Iterator[NamedTuple]:
        for depth in reversed(range(1, len(self.layers))):  # the highest layer has the oldest data
            yield from self._dispatch(depth, self.layers[depth].receive(b""))
        lowest = self.layers[0] if self.layers else Layer()
        arrived, self._arrived = self._arrived, b""
        yield from self._dispatch(0, lowest.receive(arrived))
        if self._ended:
            self._ended = False
            yield from self._dispatch(0, lowest.eof())

    def send(self, data: bytes) -> bytes:
        """Pass `data` down through all layers. Return the bytes for the wire."""
        for layer in reversed(self.layers):
            data = layer.send(data)
        return data

    def send_below(self, layer: Layer, data: bytes) -> bytes:
        """Pass bytes that `layer` itself sends down through the layers below it.

        Return the bytes for the wire. Raises ValueError if `layer` is not in this pipeline.
        """
        for below in reversed(self.layers[: self.layers.index(layer)]):
            data = below.send(data)
        return data

    def finish(self) -> bytes:
        """End the local side of each layer, the highest first. Return the bytes for the wire."""
        last = b""
        for layer in reversed(self.layers):
            last = (layer.send(last) if last else b"") + layer.finish()
        return last

    def _dispatch(self, depth: int, events: Iterable[NamedTuple]) -> Iterator[NamedTuple]:
        """Dispatch the events of the layer at `depth`: up, down, or to the application."""
        above = depth + 1
        for event in events:
            match event:
                case DataReceived(data) if above < len(self.layers):
                    yield from self._dispatch(above, self.layers[above].receive(data))
                case Ended(clean):
                    self._ended_cleanly = self._ended_cleanly and clean
                    if above < len(self.layers):
                        yield from self._dispatch(above, self.layers[above].eof())
                    else:
                        yield Ended(self._ended_cleanly)
                case Reply(data) if depth:
                    wire = self.send_below(self.layers[depth], data)
                    if wire:  # otherwise a layer below keeps the bytes until it can send them
                        yield Reply(wire)
                case _:
                    yield event
