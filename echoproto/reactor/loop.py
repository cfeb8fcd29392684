"""uvloop's event loop, except that a selector watches the file descriptors, as in asyncio.

uvloop stops watching a descriptor at its first error. A UDP socket, for example, would receive
nothing more after one ICMP error. Here a selector watches the descriptors, and uvloop watches the
selector, which never has an error.

Only uvloop is below this module. `reactor` makes the loop.
"""

from __future__ import annotations

from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import TYPE_CHECKING, Any, TypeVarTuple

try:
    import uvloop
except Exception as error:  # a broken library may raise anything
    if isinstance(error, ModuleNotFoundError) and error.name == "uvloop":
        what, command = "is not installed; install it", "pip install uvloop"
    else:
        cause = " ".join(str(error).split()) or type(error).__name__
        what = f"cannot be loaded ({cause}); install it again"
        command = "pip install --force-reinstall uvloop"
    raise ImportError(f"uvloop {what} with: {command}") from error

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import SelectorKey

    from _typeshed import FileDescriptorLike

Arguments = TypeVarTuple("Arguments")


class Loop(uvloop.Loop):
    """A uvloop event loop for `AsyncioSelectorReactor`.

    The methods that watch a descriptor raise OSError if the system cannot watch it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = DefaultSelector()
        super().add_reader(self._selector, self._call_ready)

    def turn(self, wait: float = 0) -> None:
        """Run the callbacks that are ready. If none are, wait at most `wait` seconds for the first.

        One turn runs libuv's loop twice: the second run makes the connections that the first run
        accepts.
        """
        # This is the only way to wake at the first event. `_get_backend_id` (the descriptor of
        # libuv's epoll or kqueue) is not part of uvloop's public interface, but all its releases
        # have it. libuv registers new descriptors there only while it runs, and therefore runs once
        # before the wait.
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
        """Close the loop and its selector."""
        if not self.is_closed():
            super().remove_reader(self._selector)
            self._selector.close()
        super().close()

    def add_reader(
        self, fd: FileDescriptorLike, callback: Callable[[*Arguments], Any], *args: *Arguments
    ) -> None:
        """Call `callback` with `args` whenever `fd` is readable or has an error."""
        self._watch(fd, EVENT_READ, partial(callback, *args))

    def add_writer(
        self, fd: FileDescriptorLike, callback: Callable[[*Arguments], Any], *args: *Arguments
    ) -> None:
        """Call `callback` with `args` whenever `fd` is writable or has an error."""
        self._watch(fd, EVENT_WRITE, partial(callback, *args))

    def remove_reader(self, fd: FileDescriptorLike) -> bool:  # type: ignore[override] # None in uvloop's stub
        """Stop watching `fd` for reading. Return whether it was watched."""
        return self._unwatch(fd, EVENT_READ)

    def remove_writer(self, fd: FileDescriptorLike) -> bool:  # type: ignore[override] # None in uvloop's stub
        """Stop watching `fd` for writing. Return whether it was watched."""
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
        watched = self._selector.get_map()  # None after the selector was closed
        return watched.get(fd) if watched else None

    def _call_ready(self) -> None:
        for key, events in self._selector.select(0):
            for event in (EVENT_READ, EVENT_WRITE):
                # An earlier callback may have stopped or replaced this watch, or another one.
                now = self._watched(key.fd)
                if events & event and now is not None and now.data.get(event) is key.data[event]:
                    key.data[event]()
