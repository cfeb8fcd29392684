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
uvloop = Reactor("uvloop", "echoproto.reactor.reactor", "A reactor that needs uvloop.")
