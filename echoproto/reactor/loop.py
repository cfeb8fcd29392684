"""uvloop's event loop, with asyncio's own way to watch file descriptors.

uvloop closes its watch at the first error on a descriptor (an ICMP error on a UDP socket, say), and
the descriptor is deaf from then on. Here a selector watches the descriptors, as in asyncio, and
uvloop watches the selector, which never fails.
"""

from __future__ import annotations

from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import TYPE_CHECKING, Any, TypeVarTuple

try:
    import uvloop
except ImportError:
    raise ImportError("uvloop is missing: pip install uvloop") from None

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import SelectorKey

    from _typeshed import FileDescriptorLike

Arguments = TypeVarTuple("Arguments")


class Loop(uvloop.Loop):
    """A uvloop for `AsyncioSelectorReactor`. Errors of its watches are the system's: OSError."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = DefaultSelector()
        super().add_reader(self._selector, self._call_ready)

    def turn(self, wait: float = 0) -> None:
        """Call what is ready, and what is ready within `wait` seconds if nothing is.

        A turn is two of libuv's: the second makes the connections that the first accepts.
        """
        # Not in uvloop's promise, and in all its releases: libuv's own epoll or kqueue. To be
        # woken at the first event there is no other way. libuv tells it of new descriptors late,
        # when it runs: hence the turn before.
        watched = DefaultSelector()
        watched.register(self._get_backend_id(), EVENT_READ)  # type: ignore[attr-defined]
        ready = watched.select(0)
        self._turn()
        if wait > 0 and not ready and watched.select(wait):
            self._turn()
        watched.close()

    def _turn(self) -> None:
        self.call_soon(self.call_soon, self.stop)
        self.run_forever()

    def close(self) -> None:
        """Close the loop."""
        if not self.is_closed():
            super().remove_reader(self._selector)
            self._selector.close()
        super().close()

    def add_reader(
        self, fd: FileDescriptorLike, callback: Callable[[*Arguments], Any], *args: *Arguments
    ) -> None:
        """Call `callback` with `args` whenever `fd` is readable, or has failed."""
        self._watch(fd, EVENT_READ, partial(callback, *args))

    def add_writer(
        self, fd: FileDescriptorLike, callback: Callable[[*Arguments], Any], *args: *Arguments
    ) -> None:
        """Call `callback` with `args` whenever `fd` is writable, or has failed."""
        self._watch(fd, EVENT_WRITE, partial(callback, *args))

    def remove_reader(self, fd: FileDescriptorLike) -> bool:  # type: ignore[override] # None in uvloop's stub
        """Whether `fd` was watched, which it is no more."""
        return self._unwatch(fd, EVENT_READ)

    def remove_writer(self, fd: FileDescriptorLike) -> bool:  # type: ignore[override] # None in uvloop's stub
        """Whether `fd` was watched, which it is no more."""
        return self._unwatch(fd, EVENT_WRITE)

    def _watch(self, fd: FileDescriptorLike, event: int, callback: Callable[[], object]) -> None:
        key = self._watched(fd)
        if key is None:
            self._selector.register(fd, event, {event: callback})
        else:
            self._selector.modify(fd, key.events | event, {**key.data, event: callback})

    def _unwatch(self, fd: FileDescriptorLike, event: int) -> bool:
        key = self._watched(fd)
        if key is None or not key.events & event:
            return False
        others = {kind: callback for kind, callback in key.data.items() if kind != event}
        if others:
            self._selector.modify(fd, key.events & ~event, others)
        else:
            self._selector.unregister(fd)
        return True

    def _watched(self, fd: FileDescriptorLike) -> SelectorKey | None:
        watched = self._selector.get_map()  # None once it is closed
        return watched.get(fd) if watched else None

    def _call_ready(self) -> None:
        for key, events in self._selector.select(0):
            for event in (EVENT_READ, EVENT_WRITE):
                # What is called first may have ended the watch for the second, or another's.
                now = self._watched(key.fd)
                if events & event and now is not None and now.data.get(event) is key.data[event]:
                    key.data[event]()
