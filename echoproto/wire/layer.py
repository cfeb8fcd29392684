"""The layers of a connection, and the pipeline that joins them. No I/O, no clock.

A layer stands between the bytes on the wire below it and the bytes of the application above it:
TLS, telnet. It has three verbs:

- `receive(data)` takes bytes from below and gives what they mean, one event after another. Each
  event is found when it is asked for, so what the application changes after one event holds for
  the next; an iterator may be dropped at any event, and `receive(b"")` goes on from there, also
  with what `eof` has begun.
- `send(data)` takes bytes from above and returns the bytes that go below.
- `eof()` says that below has ended. It gives what was still held, then `Ended`.

`finish` is the end of the other direction: the last byte from above was sent.

Events are of three kinds. `DataReceived` goes to the layer above. `Reply` is to be sent below, as
it is, before whatever the events after it make the application send. All others, `Ended` among
them, go to the application.

A connection does this, whoever moves its bytes:

1. Iterate over `pipeline.receive(data)` for what has arrived, and over `pipeline.eof()` once the
   peer has ended. Send each `Reply` to the peer, and act on all other events, in their order.
2. Send `pipeline.send(data)` for what the application sends. An empty pipeline changes nothing.
3. To end its side, send `pipeline.finish()`, then half-close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class DataReceived(NamedTuple):
    """Bytes for the layer above, or for the application; never empty."""

    data: bytes


class Reply(NamedTuple):
    """Bytes to be sent below, before whatever the events after it make the application send."""

    data: bytes


class Ended(NamedTuple):
    """The peer has sent its last byte.

    `clean` is false where a layer has a way of its own to say so and the peer did not use it: a
    TLS connection may then have been cut off by someone else (RFC 8446, section 6.1).
    """

    clean: bool = True


class Layer:
    """A layer that changes nothing, for others to inherit from.

    Take `data` when `receive` is called, and not when its iterator is first asked: an iterator that
    is dropped before then must lose nothing. So do not write `receive` itself as a generator.
    """

    _held = b""  # what was received, and not given yet
    _has_ended = False

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Take `data` from below; give the events of all that has arrived."""
        self._held += data
        return self._give()

    def eof(self) -> Iterator[NamedTuple]:
        """Below has ended: give the events of what is still held, then `Ended`."""
        self._has_ended = True
        return self._give()

    def _give(self) -> Iterator[NamedTuple]:
        if self._held:
            held, self._held = self._held, b""
            yield DataReceived(held)
        if self._has_ended:
            self._has_ended = False
            yield Ended()

    def send(self, data: bytes) -> bytes:
        """Take `data` from above; return the bytes that go below, perhaps none yet."""
        return data

    def finish(self) -> bytes:
        """The last byte from above was sent: return the bytes that say so to the peer."""
        return b""


class Pipeline(Layer):
    """Layers as one; `layers` are in their order, from the wire up.

    It keeps what has arrived until the lowest layer is asked for it, and that the peer has ended:
    so an iterator may be dropped at any event here too.
    """

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        self.layers = tuple(layers)
        self._arrived = b""  # what no layer has yet
        self._ended = False  # below has ended, and no layer knows it yet
        self._clean = True  # no layer has seen another end
        if len(self.layers) == 1:  # there is nothing to join, and it costs half as much
            one = self.layers[0]
            for name in ("receive", "eof", "send", "finish"):
                setattr(self, name, getattr(one, name))

    def receive(self, data: bytes) -> Iterator[NamedTuple]:
        """Take `data`, at once; give the events of all that has arrived, the oldest first."""
        self._arrived += data
        return self._find_events()

    def eof(self) -> Iterator[NamedTuple]:
        """The peer has ended, below all layers."""
        self._ended = True
        return self._find_events()

    def _find_events(self) -> Iterator[NamedTuple]:
        for depth in reversed(range(1, len(self.layers))):  # what is highest arrived first
            yield from self._raise(depth, self.layers[depth].receive(b""))
        lowest = self.layers[0] if self.layers else Layer()
        arrived, self._arrived = self._arrived, b""
        yield from self._raise(0, lowest.receive(arrived))
        if self._ended:
            self._ended = False
            yield from self._raise(0, lowest.eof())

    def send(self, data: bytes) -> bytes:
        """Pass `data` down through all layers."""
        for layer in reversed(self.layers):
            data = layer.send(data)
        return data

    def send_below(self, layer: Layer, data: bytes) -> bytes:
        """Pass what `layer` itself has to say down through the layers below it."""
        for below in reversed(self.layers[: self.layers.index(layer)]):
            data = below.send(data)
        return data

    def finish(self) -> bytes:
        """End our side: each layer says so, the highest first."""
        last = b""
        for layer in reversed(self.layers):
            last = (layer.send(last) if last else b"") + layer.finish()
        return last

    def _raise(self, depth: int, events: Iterable[NamedTuple]) -> Iterator[NamedTuple]:
        """Pass the events of the layer at `depth` on: up, down, or to the application."""
        above = depth + 1
        for event in events:
            match event:
                case DataReceived(data) if above < len(self.layers):
                    yield from self._raise(above, self.layers[above].receive(data))
                case Ended(clean):
                    self._clean = self._clean and clean
                    if above < len(self.layers):
                        yield from self._raise(above, self.layers[above].eof())
                    else:
                        yield Ended(self._clean)
                case Reply(data) if depth:
                    wire = self.send_below(self.layers[depth], data)
                    if wire:  # else a layer keeps it for later
                        yield Reply(wire)
                case _:
                    yield event
