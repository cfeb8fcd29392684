"""A line server of your own: .venv/bin/python docs/examples/shout.py [PORT]"""

import sys
from typing import Any

from twisted.internet import endpoints, task
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import globalLogBeginner, textFileLogObserver

from echoproto import LineFactory, LineProtocol


class Shout(LineProtocol):
    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line.upper())


async def main(reactor: Any, port: str = "2020") -> None:
    endpoint = endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    try:
        await endpoint.listen(LineFactory(Shout))
    except CannotListenError as error:
        sys.exit(str(error))
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    await Deferred()  # until Ctrl-C


task.react(main, sys.argv[1:])
