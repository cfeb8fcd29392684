"""`UvloopReactor`: Twisted's asyncio reactor on a uvloop, with connections that are uvloop's own.

What `listenTCP` accepts is a `Connection`: uvloop reads and writes, and calls the protocol. All
else (clients, UDP, Unix sockets, processes, timers) is Twisted's own code, on `Loop`.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import process
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.interfaces import IReactorDaemonize
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.reactor.loop import Loop
from echoproto.reactor.port import Port
from echoproto.reactor.transport import Connection

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory

log = Logger()


@implementer(IReactorDaemonize)
class UvloopReactor(AsyncioSelectorReactor):
    """The reactor. It has a loop of its own, which is asyncio's current one."""

    def __init__(self) -> None:
        self.native: set[Port | Connection] = set()
        """The ports that listen and the connections that are open: uvloop's, not file descriptors
        that Twisted watches."""
        super().__init__(self._make_loop())

    def _make_loop(self) -> Loop:
        loop = Loop()
        loop.set_exception_handler(_log_exception)
        asyncio.set_event_loop(loop)
        return loop

    @property
    def loop(self) -> Loop:
        """The event loop."""
        loop = self._asyncioEventloop
        assert isinstance(loop, Loop)  # noqa: S101 - for mypy
        return loop

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
        listening = Port._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        listening.startListening()
        return listening

    # IReactorFDSet

    def addReader(self, reader: Any) -> None:
        """Read from `reader`."""
        if isinstance(reader, Connection):
            reader.startReading()
        else:
            super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        """Read no more from `reader`."""
        if isinstance(reader, Connection):
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

    # Signals

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Begin to run; and reap processes as they end."""
        if installSignalHandlers:
            self.addSystemEventTrigger("after", "startup", self._reap_at_sigchld)
        super().startRunning(installSignalHandlers)

    def _reap_at_sigchld(self) -> None:
        # Twisted waits on the wake-up descriptor of signals; while uvloop runs, that is uvloop's.
        signal.signal(signal.SIGCHLD, lambda *_: self.callFromThread(process.reapAllProcesses))
        signal.siginterrupt(signal.SIGCHLD, False)

    # IReactorDaemonize

    def beforeDaemonize(self) -> None:
        """Close the loop: one that was made before a fork must not be used after it."""
        self._ports = [port for port in self.native if isinstance(port, Port)]
        for port in self._ports:
            port.stopReading()
        self.loop.close()

    def afterDaemonize(self) -> None:
        """Go on with a new loop."""
        self._asyncioEventloop = self._make_loop()
        readers, self._readers = self._readers, {}
        for reader in readers:
            self.addReader(reader)
        writers, self._writers = self._writers, {}
        for writer in writers:
            self.addWriter(writer)
        for port in self._ports:
            port.startReading()
        self._timerHandle = self._scheduledAt = None
        self._reschedule()


def _log_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a protocol has raised, as Twisted does; leave all else to asyncio."""
    if isinstance(context.get("protocol"), Connection):
        error = context["exception"]
        log.failure("Unhandled Error", Failure(error, type(error), error.__traceback__))
    else:
        loop.default_exception_handler(context)
