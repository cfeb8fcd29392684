"""Runs a reactor in a thread, so that a test is its peer: plain sockets, one step after another.

Most tests run on Twisted's epoll reactor as well: that shows that what they ask is Twisted's
contract, and not only what our reactor does.
"""

from __future__ import annotations

import logging
import sys
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from queue import Queue
from typing import Self

import pytest
import twisted.internet
from twisted.internet.defer import maybeDeferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from echoproto.reactor.reactor import UvloopReactor
from echoproto.server.connection import ServerConnection
from support import DEADLINE, connect

KINDS = {"uvloop": UvloopReactor, "epoll": EPollReactor}

only_uvloop = pytest.mark.parametrize("running", ["uvloop"], indirect=True)
"""For a test of what is ours alone."""


class Recorder(Protocol):
    """A protocol that keeps what it is told."""

    def __init__(self):
        self.received = b""
        self.lost = Future()
        self.calls = []

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.calls.append("lost")
        self.lost.set_result(reason.value)

    def why_lost(self):
        """Wait until the connection is lost; the reason."""
        return self.lost.result(DEADLINE)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    """The same, and it can half-close."""

    def __init__(self):
        super().__init__()
        self.read_lost = Future()
        self.write_lost = Future()

    def readConnectionLost(self):
        self.calls.append("read lost")
        self.read_lost.set_result(None)

    def writeConnectionLost(self):
        self.calls.append("write lost")
        self.write_lost.set_result(None)


class Running:
    """A reactor that runs; as long as it does it is `twisted.internet.reactor`."""

    def __init__(self, kind):
        self.kind = kind
        self.made = Queue()
        self._clients = ExitStack()
        self._protocols = []
        self._errors = []
        self._started = Future()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._reactor_before = sys.modules.get("twisted.internet.reactor")
        self._asyncio_log = logging.Handler(logging.ERROR)
        self._asyncio_log.emit = lambda record: self._errors.append(record.getMessage())
        logging.getLogger("asyncio").addHandler(self._asyncio_log)
        globalLogPublisher.addObserver(self._observe)
        self._thread.start()
        self.reactor = self._started.result(DEADLINE)
        return self

    def __exit__(self, kind, error, traceback):
        if self._thread.is_alive():
            # Twisted's own reactors forget a paused connection when they stop.
            self.call(self._abort_all)
        self.stop()
        self._clients.close()
        globalLogPublisher.removeObserver(self._observe)
        logging.getLogger("asyncio").removeHandler(self._asyncio_log)
        self._install(self._reactor_before)
        assert error or not self._errors, f"logged: {self._errors}"

    def _abort_all(self):
        for transport in (protocol.transport for protocol in self._protocols):
            if transport is not None and transport.connected:
                transport.abortConnection()

    def _run(self):
        try:
            reactor = KINDS[self.kind]()
            self._install(reactor)
            reactor.callWhenRunning(self._started.set_result, reactor)
            reactor.run(installSignalHandlers=False)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        for reader in list(reactor._internalReaders):
            reactor.removeReader(reader)
            reader.connectionLost(None)
        if self.kind == "uvloop":
            reactor.loop.close()
        else:
            reactor._poller.close()

    @staticmethod
    def _install(reactor):
        if reactor is None:
            sys.modules.pop("twisted.internet.reactor", None)
            del twisted.internet.reactor
        else:
            sys.modules["twisted.internet.reactor"] = twisted.internet.reactor = reactor

    def _observe(self, event):
        failure = event.get("log_failure") or event.get("failure")
        if failure:
            self._errors.append(failure.value)

    def stop(self):
        """Stop the reactor, and wait for its end."""
        if self._thread.is_alive():
            self.reactor.callFromThread(lambda: self.reactor.running and self.reactor.stop())
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the reactor does not stop"

    def call(self, function, *args):
        """Call in the reactor's thread; the result, when a Deferred has it."""
        result = Future()

        def called():
            maybeDeferred(function, *args).addCallbacks(
                result.set_result, lambda failure: result.set_exception(failure.value)
            )

        self.reactor.callFromThread(called)
        return result.result(DEADLINE)

    def logged(self):
        """The errors that were logged until now, which a test has asked for."""
        errors, self._errors = self._errors, []
        return errors

    def factory(self, protocol):
        """A factory whose protocols `accepted` gives."""
        factory = Factory.forProtocol(protocol)
        factory.noisy = False
        return self.keep(factory)

    def keep(self, factory):
        """The factory; `accepted` gives what it builds."""
        factory.buildProtocol = partial(self._build, factory.buildProtocol)
        return factory

    def _build(self, build, address):
        built = build(address)
        self._protocols.append(built)
        # A connection lets go of its protocol when it is lost.
        served = built.protocol if isinstance(built, ServerConnection) else built
        self.reactor.callLater(0, self.made.put, (built, served))  # when it is connected
        return built

    def listen(self, protocol, **kwargs):
        """Listen for a protocol, or for a factory; the port."""
        factory = self.factory(protocol) if isinstance(protocol, type) else protocol
        kwargs = {"interface": "127.0.0.1"} | kwargs
        return self.call(lambda: self.reactor.listenTCP(0, factory, **kwargs))

    def accepted(self):
        """What the factory has built for the next connection."""
        return self.made.get(timeout=DEADLINE)[0]

    def served(self):
        """The protocol of the next connection, also where that is on a `ServerConnection`."""
        return self.made.get(timeout=DEADLINE)[1]

    def pair(self, protocol):
        """A client's socket, and the protocol at the other end."""
        return self.connect(self.listen(protocol)), self.accepted()

    def connect(self, port):
        """A client's socket, which the end closes."""
        client = connect(self.call(port.getHost).port)
        return self._clients.enter_context(client)
