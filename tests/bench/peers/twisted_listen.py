"""What the peers on Twisted share: its epoll reactor, and the port."""

from __future__ import annotations

from arguments import BACKLOG, arguments, ready
from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402
from twisted.internet.endpoints import serverFromString  # noqa: E402
from twisted.internet.protocol import Factory  # noqa: E402


def listen(protocol):
    """Serve `protocol` until the process is ended."""
    where = f"tcp:0:interface=127.0.0.1:backlog={BACKLOG}"
    if files := arguments().tls:
        certificate, key = files
        where = where.replace("tcp:", "ssl:") + f":certKey={certificate}:privateKey={key}"
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    listening = serverFromString(reactor, where).listen(factory)
    listening.addCallback(lambda port: ready(port.getHost().port))
    reactor.run()
