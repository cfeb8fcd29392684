"""Unix sockets: listens on a path, and removes what a server that was killed has left there.

Twisted locks the path of a Unix socket with a link, `PATH.lock`, to its process ID. It removes the
socket of a server that was killed if no process has that ID. Two things are missing, for which
`UnixEndpoint` stands in. In a container the next server has the same ID: the lock then names
the new server itself. And Twisted leaves its lock behind if it cannot listen; at the next start it
would take the socket of the program that listens there for one that is left over, and remove it.
"""

from __future__ import annotations

import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from echoproto.server.twistd_files import is_stale

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory
    from twisted.python.failure import Failure


@implementer(IStreamServerEndpoint)
class UnixEndpoint:
    """Listens on the Unix socket `path`; with `lock`, no other server of Twisted can take it."""

    def __init__(self, reactor: Any, path: str, backlog: int, mode: int, *, lock: bool) -> None:
        self._endpoint = UNIXServerEndpoint(reactor, path, backlog, mode, lock)
        self._path = Path(path)
        self._lock = Path(f"{path}.lock") if lock else None

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803
        """Listen, as IStreamServerEndpoint.listen defines. Fails with CannotListenError."""
        if self._lock is not None and _is_left_over(self._lock):
            if _answers(self._path):
                return fail(CannotListenError(None, str(self._path), "Cannot acquire lock"))
            with suppress(OSError):
                self._lock.unlink()
                if stat.S_ISSOCK(self._path.lstat().st_mode):
                    self._path.unlink()
        listening: Deferred[IListeningPort] = self._endpoint.listen(protocolFactory)
        return listening.addErrback(self._unlock)

    def _unlock(self, failure: Failure) -> Failure:
        # Without a system error it is the lock that another port has.
        if self._lock is not None and isinstance(
            getattr(failure.value, "socketError", None), OSError
        ):
            self._lock.unlink(missing_ok=True)
        return failure


def _is_left_over(lock: Path) -> bool:
    try:
        return is_stale(int(lock.readlink().name))
    except (OSError, ValueError):  # there is none, or it is not Twisted's
        return False


def _answers(path: Path) -> bool:
    """Whether a process listens at `path`."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # its queue is full, or it is another user's
            return True
    return True
