"""`UvloopReactor`: Twisted's asyncio reactor on a uvloop, with connections that are uvloop's own.

What `listenTCP` accepts is a `TCPTransport`: uvloop reads and writes, and calls the protocol. All
else (clients, UDP, Unix sockets, processes, timers) is Twisted's own code, on `Loop`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from twisted.internet import process
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.interfaces import IReactorDaemonize
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.reactor.loop import Loop
from echoproto.reactor.port import Port
from echoproto.reactor.tls import LosslessTLS
from echoproto.reactor.transport import TCPTransport

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory

log = Logger()

REAP_INTERVAL: Final = 0.05
"""Seconds between two looks for processes that have ended."""


@implementer(IReactorDaemonize)
class UvloopReactor(AsyncioSelectorReactor):
    """The reactor. It has a loop of its own, which is asyncio's current one."""

    def __init__(self) -> None:
        self.native: dict[Port | TCPTransport, None] = {}  # half the memory of a set
        """The ports that listen and the connections that are open: uvloop's, not file descriptors
        that Twisted watches."""
        self._reaper: asyncio.TimerHandle | None = None
        self.loop = _make_loop()
        """The event loop."""
        super().__init__(self.loop)

    # IReactorTCP, IReactorSocket

    def listenTCP(
        self, port: Any, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> Port:
        """Listen on a TCP port: see IReactorTCP.listenTCP."""
        listening = Port(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Listen on a socket that listens already: see IReactorSocket.adoptStreamPort."""
        if addressFamily not in (socket.AF_INET, socket.AF_INET6):
            return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
        # Private, and what Twisted's own adoptStreamPort calls; the rest of a Port is public.
        listening = Port._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        listening.startListening()
        return listening

    # IReactorSSL

    def listenSSL(
        self, port: Any, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        """Listen with TLS: see IReactorSSL.listenSSL."""
        listening: Any = super().listenSSL(port, factory, contextFactory, backlog, interface)
        listening.factory.protocol = LosslessTLS
        return listening

    # IReactorFDSet

    def addReader(self, reader: Any) -> None:
        """Read from `reader`."""
        if isinstance(reader, (TCPTransport, Port)):
            reader.startReading()
        else:
            super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        """Read no more from `reader`."""
        if isinstance(reader, (TCPTransport, Port)):
            reader.stopReading()
        else:
            super().removeReader(reader)

    def getReaders(self) -> list[Any]:
        """What is read from."""
        return [*(one for one in self.native if one.reading), *super().getReaders()]

    def removeAll(self) -> list[Any]:
        """Take everything that is open off the reactor, and return it."""
        native = list(self.native)
        for one in native:
            one.stopReading()
        self.native.clear()
        return [*native, *super().removeAll()]

    # IReactorCore

    def iterate(self, delay: float = 0.0) -> None:
        """Make the calls that are due, then do what is ready, or will be within `delay` seconds."""
        self.runUntilCurrent()
        self.loop.turn(delay)

    # IReactorProcess

    def spawnProcess(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process: see IReactorProcess.spawnProcess."""
        spawned = super().spawnProcess(*args, **kwargs)
        if self._reaper is None:
            self._reap()
        return spawned

    def _reap(self) -> None:
        # SIGCHLD is libuv's while asyncio has a process, and nobody's once that has ended. So we
        # look. Most processes are seen to end before, when they close their pipes.
        process.reapAllProcesses()
        more = bool(process.reapProcessHandlers)
        self._reaper = self.loop.call_later(REAP_INTERVAL, self._reap) if more else None

    # IReactorDaemonize

    def beforeDaemonize(self) -> None:
        """Close the loop: one that was made before a fork must not be used after it."""
        self._watched = self.getReaders(), self.getWriters()
        for reader in self._watched[0]:
            self.removeReader(reader)
        for writer in self._watched[1]:
            self.removeWriter(writer)
        self.loop.close()

    def afterDaemonize(self) -> None:
        """Go on with a new loop."""
        # Private: Twisted's reactor has its loop there, and when its next timer is due. It has no
        # other way to change loops.
        self.loop = self._asyncioEventloop = _make_loop()
        self._scheduledAt = self._reaper = None
        self._reschedule()
        for reader in self._watched[0]:
            self.addReader(reader)
        for writer in self._watched[1]:
            self.addWriter(writer)


def _make_loop() -> Loop:
    loop = Loop()
    loop.set_exception_handler(_log_exception)
    asyncio.set_event_loop(loop)
    return loop


def _log_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a protocol has raised, as Twisted does; leave all else to asyncio."""
    if isinstance(context.get("protocol"), TCPTransport):
        error = context["exception"]
        log.failure("Unhandled Error", Failure(error, type(error), error.__traceback__))
    else:
        loop.default_exception_handler(context)


def install() -> None:
    """Make the uvloop reactor `twisted.internet.reactor`."""
    installReactor(UvloopReactor())
