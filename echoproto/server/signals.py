"""The signals that stop the server: the first stops it in order, and a second one at once.

Twisted's own handlers make twistd end by the signal that it was sent, so that a clean stop looks
like a failure to whoever has started it. After these handlers, the exit status is 0.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

log = Logger("echoproto")

_HURRY: Final = {signal.SIGINT, signal.SIGTERM}
"""The signals of which a second one ends a drain at once.

SIGHUP does not: a terminal that closes may send it twice, and systemd may send it after SIGTERM.
"""


def handle_signals(reactor: Any, abort: Callable[[], object]) -> None:
    """Have SIGINT, SIGTERM and SIGHUP stop `reactor`, and a further SIGINT or SIGTERM call `abort`.

    Call this when the reactor runs, in the main thread. A signal that is ignored stays ignored:
    nohup does that to SIGHUP.
    """
    is_stopping = False

    def stop() -> None:
        with suppress(ReactorNotRunning):  # something else has stopped it
            reactor.stop()

    def handle(number: int, _: object) -> None:
        nonlocal is_stopping
        name = signal.Signals(number).name
        if not is_stopping:
            is_stopping = True
            log.info("Received {name}, shutting down.", name=name)
            reactor.callFromThread(stop)
        elif number in _HURRY:
            log.info("Received {name} again, resetting connections.", name=name)
            reactor.callFromThread(abort)
        else:
            log.info("Received {name}, which does not hurry the shutdown.", name=name)

    for number in (*_HURRY, getattr(signal, "SIGHUP", None)):  # there is none on Windows
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
