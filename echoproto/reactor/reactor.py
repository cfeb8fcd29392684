"""`UvloopReactor`: Twisted's asyncio reactor on uvloop, with connections that uvloop handles.

A connection that a port of `listenTCP` accepts is a `TCPTransport`: uvloop reads, writes, and calls
the protocol. Everything else (clients, UDP, Unix sockets, processes, timers) uses Twisted's own
code, on `Loop`.

`port`, `transport`, `tls` and `loop` are below this module.
"""

from __future__ import annotations

import asyncio
import socket
import time
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
"""Interval, in seconds, between two checks for child processes that have ended."""

_EPOCH: Final = time.time() - time.monotonic()
"""Time of the wall clock, in seconds, at which the monotonic clock was 0."""


@implementer(IReactorDaemonize)
class UvloopReactor(AsyncioSelectorReactor):
    """A Twisted reactor on uvloop.

    The reactor makes an event loop, and sets it as asyncio's current one.
    """

    def __init__(self) -> None:
        self.native: dict[Port | TCPTransport, None] = {}  # takes half the memory of a set
        """The ports that accept and the connections that are open: those that uvloop handles.

        Twisted watches no file descriptors for them.
        """
        self._reaper: asyncio.TimerHandle | None = None
        self.loop = _make_loop()
        """The event loop."""
        super().__init__(self.loop)

    # IReactorTime

    @staticmethod
    def seconds() -> float:
        """Return the time in seconds since the epoch, on a clock that nobody can set.

        It is the wall clock's time when this module was imported, plus what has passed since.
        Twisted's own reactors follow the wall clock, and so does every `callLater` there: if that
        clock is set, calls come at once or hours late.
        """
        return _EPOCH + time.monotonic()

    # IReactorTCP, IReactorSocket

    def listenTCP(
        self, port: Any, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> Port:
        """Listen on a TCP port, as IReactorTCP.listenTCP defines. Raises CannotListenError."""
        listening = Port(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Use a socket that already listens, as IReactorSocket.adoptStreamPort defines."""
        if addressFamily not in (socket.AF_INET, socket.AF_INET6):
            return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
        # This method is private, but Twisted's own adoptStreamPort calls it too. Everything else
        # that we use of Port is public.
        listening = Port._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        listening.startListening()
        return listening

    # IReactorSSL

    def listenSSL(
        self, port: Any, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        """Listen with TLS, as IReactorSSL.listenSSL defines."""
        listening: Any = super().listenSSL(port, factory, contextFactory, backlog, interface)
        listening.factory.protocol = LosslessTLS
        return listening

    # IReactorFDSet

    def addReader(self, reader: Any) -> None:
        """Start reading from `reader`."""
        if isinstance(reader, (TCPTransport, Port)):
            reader.startReading()
        else:
            super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        """Stop reading from `reader`."""
        if isinstance(reader, (TCPTransport, Port)):
            reader.stopReading()
        else:
            super().removeReader(reader)

    def getReaders(self) -> list[Any]:
        """Return everything that the reactor reads from."""
        return [*(one for one in self.native if one.reading), *super().getReaders()]

    def removeAll(self) -> list[Any]:
        """Remove everything that is open from the reactor, and return it."""
        native = list(self.native)
        for one in native:
            one.stopReading()
        self.native.clear()
        return [*native, *super().removeAll()]

    # IReactorCore

    def iterate(self, delay: float = 0.0) -> None:
        """Make the timed calls that are due, then run one turn of the event loop.

        If no I/O is ready, wait at most `delay` seconds for it.
        """
        self.runUntilCurrent()
        self.loop.turn(delay)

    # IReactorProcess

    def spawnProcess(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process, as IReactorProcess.spawnProcess defines."""
        spawned = super().spawnProcess(*args, **kwargs)
        if self._reaper is None:
            self._reap()
        return spawned

    def _reap(self) -> None:
        # While asyncio has a child process, libuv handles SIGCHLD; after that process has ended, no
        # code does. We therefore check at intervals. Twisted usually notices the end of a process
        # before the next check, when the process closes its pipes.
        process.reapAllProcesses()
        more = bool(process.reapProcessHandlers)
        self._reaper = self.loop.call_later(REAP_INTERVAL, self._reap) if more else None

    # IReactorDaemonize

    def beforeDaemonize(self) -> None:
        """Close the loop: a loop that was made before a fork must not be used after it."""
        self._watched = self.getReaders(), self.getWriters()
        for reader in self._watched[0]:
            self.removeReader(reader)
        for writer in self._watched[1]:
            self.removeWriter(writer)
        self.loop.close()

    def afterDaemonize(self) -> None:
        """Make a new loop, and watch everything that the old loop watched."""
        # Twisted's reactor keeps its loop, and the time of its next timer, in these private
        # attributes. It offers no other way to change the loop.
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
    """Log an exception that a protocol raised, as Twisted does. Leave all others to asyncio."""
    if isinstance(context.get("protocol"), TCPTransport):
        error = context["exception"]
        log.failure("Unhandled Error", Failure(error, type(error), error.__traceback__))
    else:
        loop.default_exception_handler(context)


def install() -> None:
    """Install a new `UvloopReactor` as `twisted.internet.reactor`.

    Raises twisted.internet.error.ReactorAlreadyInstalledError if another reactor is installed:
    call this before anything imports `twisted.internet.reactor`.
    """
    installReactor(UvloopReactor())
