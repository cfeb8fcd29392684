"""Registers `twistd echo` and the uvloop reactor with twistd.

twistd imports this module while its plugin cache is cold, so it must import nothing slow.
"""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

echo = ServiceMaker(
    "echoproto",
    "echoproto.server.service",
    "An echo service: every byte that a client sends comes back.",
    "echo",
)


class _UvloopReactor(Reactor):
    """Twisted prints its whole help, or a traceback, if a reactor cannot be installed."""

    def install(self) -> None:
        try:
            super().install()
        except Exception as error:
            raise SystemExit(f"--reactor {self.shortName}: {error}; or omit --reactor") from error


uvloop = _UvloopReactor("uvloop", "echoproto.reactor.reactor", "A reactor that needs uvloop.")
