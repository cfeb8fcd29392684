"""Tell twistd of `twistd echo`. Imported while twistd's plugin cache is cold: nothing heavy."""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

echo = ServiceMaker(
    "echoproto",
    "echoproto.server.service",
    "An echo service: every byte that a client sends comes back.",
    "echo",
)
uvloop = Reactor("uvloop", "echoproto.reactor.reactor", "As fast as uvloop: needs that installed.")
