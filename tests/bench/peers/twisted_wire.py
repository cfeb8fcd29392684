"""Twisted's own echo server, twisted.protocols.wire.Echo, on its epoll reactor."""

from __future__ import annotations

from twisted.protocols.wire import Echo
from twisted_listen import listen

listen(Echo)
