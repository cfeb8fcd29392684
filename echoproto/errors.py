"""The errors of echoproto, as one tree.

    EchoprotoError
    ├── CannotStartError    the service cannot listen where it was asked to; also a SystemExit
    ├── LineTooLongError    a line exceeds the limit; also a ValueError
    ├── NetworkError        the network or the peer failed
    ├── NotTelnetError      telnet was asked of a connection that is not telnet; also a ValueError
    ├── ProxyHeaderError    a connection did not begin with a valid PROXY header; also a ValueError
    ├── SessionFileError    a file is not a session that can be replayed; also a ValueError
    └── TargetError         the text does not name a place to connect to; also a ValueError

Each message is one line for a person: what was wrong, where, and what would be right. A wrong
argument is a ValueError or a TypeError, as everywhere in Python.
"""

from __future__ import annotations


class EchoprotoError(Exception):
    """The base of all errors here. Catch it to catch them all."""


class CannotStartError(SystemExit, EchoprotoError):
    """The service cannot listen on an address; the message names it and says why.

    It is an Exception, so that twistd cleans up and reports the failure to the process that waits
    for the daemon. It is a SystemExit, so that twistd ends with the message and status 1 instead of
    a traceback.
    """


class LineTooLongError(EchoprotoError, ValueError):
    """A line is longer than the limit.

    `line` holds what has arrived of it, without its line end. The rest of the line is skipped.
    """

    def __init__(self, line: bytes, max_length: int) -> None:
        super().__init__(f"a line of more than {max_length} bytes")
        self.line = line


class NetworkError(EchoprotoError):
    """The network, or the peer, did not do what was asked of it."""


class NotTelnetError(EchoprotoError, ValueError):
    """Telnet was asked of a connection that is not telnet, or has not shown yet that it is."""


class ProxyHeaderError(EchoprotoError, ValueError):
    """A connection behind `haproxy:` did not begin with a valid PROXY header.

    It is the reason for which the connection was closed. The message quotes what arrived.
    """


class SessionFileError(EchoprotoError, ValueError):
    """A file is not a session that can be replayed.

    The message names the file and the line, and says what would be right.
    """


class TargetError(EchoprotoError, ValueError):
    """The text does not name a place to connect to; the message lists the forms that do."""
