"""`ServerConnection` under attack, by the peer, the transport and the protocol, in any order.

Four rules hold for every sequence: what came before the end is delivered once and in order;
nothing is delivered to a protocol that has paused, closed or lost its connection; the peer's end is
told at most once, after all before it; and `connectionLost` is called once.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone

from attacked_connection import Peer, Scripted, Wire
from echoproto.server.backpressure import BY_PROTOCOL, BY_TRANSPORT
from echoproto.server.connection import ServerConnection
from echoproto.server.factory import LineFactory
from echoproto.server.registry import Registry
from echoproto.wire.tls import TLS

ACTIONS = st.sampled_from(
    ["pause", "resume", "blink", "write", "close", "abort", "half-close", "stop", "raise"]
)
SCRIPTS = st.lists(st.lists(ACTIONS, max_size=3), max_size=10)
PEER = st.sampled_from(["line", "lines", "mixed", "EOF", "FIN", "reset"])
DOES = st.one_of(
    st.tuples(st.just("peer"), PEER),
    st.tuples(st.just("protocol"), ACTIONS.filter("raise".__ne__)),
    st.tuples(st.just("transport"), st.sampled_from(["full", "empty"])),
    st.tuples(st.just("turn"), st.just("")),
)


def play(kind, steps, protocol, contexts):
    """Everyone does what they are told; then the peer, and the reactor, come to an end."""
    ours, theirs = contexts if "tls" in kind else (None, None)
    tls = TLS(theirs, server_side=False) if theirs else None
    wire = Wire()
    peer = Peer(wire, telnet="telnet" in kind, tls=tls)
    connection = ServerConnection(protocol, LineFactory(registry=Registry(), tls=ours))
    wire.protocol = connection
    wire.call(connection.makeConnection, wire)
    peer.answer()
    for who, action in steps:
        if who == "peer":
            peer.do(action)
        elif who == "protocol":
            wire.call(protocol.do, action)
        elif who == "turn":
            wire.turn()
            peer.answer()
        elif wire.producer is not None:
            full = action == "full"
            wire.call(wire.producer.pauseProducing if full else wire.producer.resumeProducing)
    protocol.script.clear()
    peer.do("FIN")
    for _ in range(6):
        if wire.producer is not None and connection.paused & BY_TRANSPORT:
            wire.call(wire.producer.resumeProducing)
        if connection.paused & BY_PROTOCOL and not protocol.is_closed:
            wire.call(protocol.resumeProducing)
        wire.settle()
        peer.answer()
    return wire, peer


KINDS = ["plain", "telnet", "tls", "telnet tls"]


def check(wire, peer, protocol):
    assert protocol.delivered == peer.sent[: len(protocol.delivered)], "in order, once"
    assert protocol.calls <= 1
    if protocol.calls:
        assert protocol.delivered == peer.sent, "all that came before the end"
    if not (protocol.is_closed or protocol.has_raised or wire.reset):
        assert protocol.calls == 1, "the end is told"


@settings(max_examples=150, derandomize=True)
@given(st.lists(DOES, max_size=25), SCRIPTS, st.booleans())
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_the_rules_hold(kind, contexts, steps, script, stays_open):
    protocol = Scripted(script, "always" if "telnet" in kind else "never", stays_open=stays_open)
    wire, peer = play(kind, steps, protocol, contexts)
    if not stays_open or protocol.has_raised or wire.reset:
        assert wire.lost, "the peer has ended: there is nothing to wait for"
    check(wire, peer, protocol)
    wire.lose(ConnectionDone())
    protocol.resumeProducing()
    check(wire, peer, protocol)
    assert protocol.lost == 1
    assert not wire.reactor.getDelayedCalls()
