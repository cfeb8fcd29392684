"""A line server of your own: .venv/bin/python docs/examples/shout.py [PORT]"""

import sys

from twisted.internet import endpoints, reactor
from twisted.logger import globalLogBeginner, textFileLogObserver

from echoproto import LineFactory, LineProtocol


class Shout(LineProtocol):
    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line.upper())


port = sys.argv[1] if len(sys.argv) > 1 else "2020"
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
endpoint = endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
endpoint.listen(LineFactory(Shout))
reactor.run()
