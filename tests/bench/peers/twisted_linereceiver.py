"""An echo server on Twisted's own LineReceiver, on its epoll reactor: sends each line back."""

from __future__ import annotations

from twisted.protocols.basic import LineReceiver
from twisted_listen import listen


class Echo(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


listen(Echo)
