"""Protocols of lines that keep what they are given, for tests."""

from __future__ import annotations

from twisted.internet.testing import StringTransport

from echoproto.server.connection import ServerConnection
from echoproto.server.protocol import LineProtocol


class CrLfProtocol(LineProtocol):
    delimiter = b"\r\n"


class Recorder(LineProtocol):
    """Keeps what it is given; a line that names one of its methods calls it."""

    def __init__(self):
        self.calls = []

    def lineReceived(self, line):
        self.calls.append(line)
        command, _, argument = line.decode("latin-1").partition(" ")
        if command in ("raw", "limit") and not argument.isdecimal():
            return
        match command:
            case "raw":
                self.left = int(argument)
                self.setRawMode()
            case "pause":
                self.pauseProducing()
            case "close":
                self.transport.loseConnection()
            case "abort":
                self.transport.abortConnection()
            case "delimiter":
                self.delimiter = argument.encode() or b";"
            case "limit":
                self.MAX_LENGTH = int(argument)
            case "clear":
                self.calls.append((b"cleared", self.clearLineBuffer()))

    def rawDataReceived(self, data):
        self.calls.append((b"raw", data[: self.left]))
        rest = data[self.left :]
        self.left -= len(data) - len(rest)
        if not self.left:
            self.setLineMode(rest)

    def lineLengthExceeded(self, line):
        self.calls.append((b"long", line))


def connected(protocol=None):
    protocol = protocol or Recorder()
    ServerConnection(protocol).makeConnection(StringTransport())
    return protocol


def joined(calls):
    """The calls, as they are however the data came: raw data in one piece, long lines without
    what had come of them."""
    result = []
    for call in calls:
        match call, result:
            case (b"raw", data), [*_, (b"raw", before)]:
                result[-1] = (b"raw", before + data)
            case (b"long", _), _:
                result.append(b"long")
            case _:
                result.append(call)
    return result
