"""`EchoService`: what `twistd echo` runs. It listens, and drains its connections when it stops."""

from __future__ import annotations

import select
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from echoproto.errors import CannotStartError
from echoproto.server.echo import EchoProtocol
from echoproto.server.factory import ServedFactory
from echoproto.server.listener import make_listener
from echoproto.server.log import ConnectionLog, show_address
from echoproto.server.options import Options, refuse, shown
from echoproto.server.program_log import take_over
from echoproto.server.refusals import Refusals
from echoproto.server.registry import Registry
from echoproto.server.signals import handle_signals
from echoproto.server.sockets import close_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
    from twisted.logger import FileLogObserver
    from twisted.python.failure import Failure

    from echoproto.server.listener import Listener

__all__ = ["EchoService", "Options", "makeService"]

log = Logger("echoproto")

ACCEPT_TIMEOUT: Final = 1.0
"""Timeout, in seconds, for accepting what waits when the service stops: more may keep coming."""


class EchoService(Service):
    """Serves the protocols of `factory`, of any kind, on `listeners`.

    `log_observer` becomes the log observer of the application, if it is not None.
    Raises CannotStartError from `privilegedStartService`, or from `startService` if the other was
    not called.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        listeners: Sequence[Listener],
        factory: IProtocolFactory,
        registry: Registry,
        log_observer: FileLogObserver | None = None,
    ) -> None:
        self._reactor = reactor
        self._listeners = listeners
        self._factory = factory
        self._registry = registry
        self._log_observer = log_observer
        self._ports: list[IListeningPort] = []
        self._refusals = Refusals(reactor)
        self._stopped: list[Deferred[None]] = []  # to fire when the service has stopped

    def setServiceParent(self, parent: Any) -> None:
        """Join the application, and give it the log observer, which twistd asks it for."""
        super().setServiceParent(parent)
        if self._log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log_observer)

    def privilegedStartService(self) -> None:
        """Listen while twistd still has its privileges, so that it can use low ports."""
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """Listen, unless that is done: `twist` has no privileged phase."""
        if not self._ports:
            self._listen()
        super().startService()

    def _listen(self) -> None:
        """Listen on every address. If one fails, none is left open."""
        failures: list[Failure] = []
        for listener in self._listeners:
            served = ServedFactory(self._factory, self._registry, listener.tls)
            listener.listen(served).addCallbacks(self._listening, failures.append)
            for failure in failures:
                while self._ports:
                    close_port(self._ports.pop())
                raise CannotStartError(_explain(listener.where, failure.value))

    def _listening(self, port: IListeningPort) -> None:
        self._refusals.watch(port)
        self._ports.append(port)
        # Whoever has read this line may connect, and may send the signals that stop the server.
        reactor: Any = self._reactor
        reactor.callWhenRunning(
            log.info, "listening on {address}", address=show_address(port.getHost())
        )

    def stopService(self) -> Deferred[None]:
        """Stop listening, and deliver data in flight; fires when every connection is closed."""
        super().stopService()
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        if len(self._stopped) == 1:  # otherwise it is stopping already
            Deferred.fromCoroutine(self._stop())
        return stopped

    async def _stop(self) -> None:
        try:
            await self._accept_waiting()
            ports, self._ports = self._ports, []
            await gatherResults([maybeDeferred(port.stopListening) for port in ports])
            self._refusals.report()
            await self._registry.drain(self._reactor)
        finally:
            stopped, self._stopped = self._stopped, []
            for each in stopped:
                each.callback(None)

    async def _accept_waiting(self) -> None:
        """Accept the connections that wait in the queues of the ports: closing would reset them."""
        deadline = self._reactor.seconds() + ACCEPT_TIMEOUT
        while _has_waiting(self._ports) and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0)


def _has_waiting(ports: Sequence[Any]) -> bool:
    """Whether a connection waits to be accepted on one of `ports`."""
    poll = select.poll()
    for port in ports:
        descriptor = port.fileno()
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _explain(where: str, error: BaseException | None) -> str:
    cause: object = error
    if isinstance(error, CannotListenError):
        cause = error.socketError
        if isinstance(error.port, int):  # and not the path of a Unix socket
            host = f"[{error.interface}]" if ":" in error.interface else error.interface
            where = f"{host}:{error.port}" if host else str(error.port)
    if cause == "Cannot acquire lock":  # what Twisted says of a Unix socket
        cause = "another process listens there"
    return f"cannot listen on {where}: {getattr(cause, 'strerror', None) or cause}"


def makeService(options: Options) -> EchoService:
    """Make the service for `options`; called by twistd."""
    if "twisted.internet.reactor" not in sys.modules:  # there is no --reactor
        try:
            from echoproto.reactor.reactor import install

            install()
        except Exception as error:  # noqa: BLE001 - a broken library may raise anything
            log.warn("using Twisted's own reactor: {error}", error=error)  # noqa: G010 - Twisted's name
    from twisted.internet import reactor as installed

    reactor: Any = installed
    settings = options.settings
    listeners = []
    for where in settings.endpoints:
        try:
            listeners.append(make_listener(reactor, where, settings.socket_buffer))
        except ValueError as error:
            refuse(f"--listen {shown(where)}: {error}")
    factory = Factory()
    factory.noisy = False
    factory.protocol = partial(
        EchoProtocol, settings.mode, log_lines=settings.log_lines, telnet=settings.telnet
    )
    registry = Registry([ConnectionLog()])

    reactor.callWhenRunning(handle_signals, reactor, registry.abort)
    log_observer = take_over(getattr(options, "parent", None), reactor)
    return EchoService(reactor, listeners, factory, registry, log_observer)
