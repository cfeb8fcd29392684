"""A telnet server that asks for a password: .venv/bin/python docs/examples/login.py [PORT]"""

import sys
from typing import Any

from twisted.internet import endpoints, task
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import globalLogBeginner, textFileLogObserver

from echoproto import LineFactory, LineProtocol, Option, Side


class Login(LineProtocol):
    telnet = "always"  # also a client that sends nothing before the server does
    name = b""

    def connectionMade(self) -> None:
        self.transport.write(b"login: ")

    def lineReceived(self, line: bytes) -> None:
        if not self.name:
            self.name = line
            # While the server says that it echoes, a client shows nothing of what is typed.
            self.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
            self.transport.write(b"Password: ")
        else:
            self.requestTelnetOption(Side.LOCAL, Option.ECHO, on=False)
            self.transport.write(b"\r\nWelcome, %b.\r\n" % self.name)
            self.transport.loseConnection()


async def main(reactor: Any, port: str = "2023") -> None:
    endpoint = endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
    try:
        await endpoint.listen(LineFactory(Login))
    except CannotListenError as error:
        sys.exit(str(error))
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    await Deferred()  # until Ctrl-C


task.react(main, sys.argv[1:])
