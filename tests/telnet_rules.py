"""Rules of the telnet codec that hold whatever comes: hypothesis and a fuzzer try to break them."""

from __future__ import annotations

from itertools import count

from echoproto.wire.negotiation import Policy, Side
from echoproto.wire.telnet import (
    FREE_REPLY,
    DataReceived,
    Option,
    OptionChanged,
    Reply,
    TelnetCodec,
    terminal_type,
    window_size,
)


def merged(events):
    """Events, with what is said in several pieces joined."""
    joined = []
    for event in events:
        last = joined[-1] if joined else None
        if type(event) is type(last) and isinstance(event, DataReceived | Reply):
            joined[-1] = type(event)(last.data + event.data)
        else:
            joined.append(event)
    return joined


def received(codec, *chunks):
    """All events of `chunks`, each given by itself."""
    events = []
    for chunk in chunks:
        codec.feed(chunk)
        events += codec.events()
    return events


def data_of(events):
    return b"".join(event.data for event in events if isinstance(event, DataReceived))


def reply_of(events):
    return b"".join(event.data for event in events if isinstance(event, Reply))


def check_cuts(make_codec, chunks):
    """However a stream is cut, the events are the same; and it never makes the codec chatter."""
    cut, whole = make_codec(), make_codec()
    stream = b"".join(chunks)
    events = received(cut, *chunks)
    assert merged(events) == merged(received(whole, stream))
    assert all(event.data for event in events if isinstance(event, DataReceived | Reply))
    assert len(reply_of(events)) <= len(stream) + FREE_REPLY
    for side in Side:
        assert cut.options(side) == whole.options(side)
    assert len(cut.held) <= 2 + len(b"\xff")
    end = cut.end()
    assert end == whole.end()
    if not cut.is_telnet:
        assert data_of(events) + end == stream
        assert not reply_of(events)
    for event in events:
        if type(event).__name__ == "SubnegotiationReceived":
            terminal_type(event.payload)
            window_size(event.payload)


def check_encoding(codec, peer, *datas):
    """What one sends, the other receives."""
    assert data_of(received(peer, *[codec.encode(data) for data in datas])) == b"".join(datas)


def settle(codecs, outgoing):
    """Carry bytes between two codecs until neither has more to say; every event of each.

    `outgoing` is what each has to send at first.
    """
    events = ([], [])
    for turn in count():
        assert turn < 1000, "they do not settle"
        if not any(outgoing):
            return events
        for one in (0, 1):
            wire, outgoing[one] = outgoing[one], b""
            new = received(codecs[1 - one], wire)
            events[1 - one].extend(new)
            outgoing[1 - one] += reply_of(new)
    raise AssertionError


def check_pair(policies, steps):
    """Two codecs with any policies settle and agree, whatever both ask for meanwhile.

    Each step is (who, side, option, on, how many bytes the network carries before the next).
    """
    codecs = [TelnetCodec(policy, window_size=(80, 24)) for policy in policies]
    wires = [b"", b""]  # sent by each, and not yet carried
    events = ([], [])
    for who, side, option, on, carried in steps:
        wires[who] += codecs[who].request(side, option, on=on)
        for one in (0, 1):
            wire, wires[one] = wires[one][:carried], wires[one][carried:]
            new = received(codecs[1 - one], wire)
            events[1 - one].extend(new)
            wires[1 - one] += reply_of(new)
    for one, new in enumerate(settle(codecs, wires)):
        events[one].extend(new)
    for one in (0, 1):
        us, him = codecs[one].options(Side.US), codecs[1 - one].options(Side.HIM)
        assert us == him
        for side in Side:
            told = [event for event in events[one] if isinstance(event, OptionChanged)]
            on = {event.option for event in told if event.side is side and event.on}
            assert set(codecs[one].options(side)) <= on
    return codecs


def policy(us=(), him=()):
    return Policy(frozenset(us), frozenset(him))


EVERYTHING = policy(range(256), range(256))
SERVER = policy([Option.BINARY], [Option.BINARY, Option.TTYPE, Option.NAWS])
CLIENT = policy(
    [Option.BINARY, Option.TTYPE, Option.NAWS], [Option.BINARY, Option.ECHO, Option.SGA]
)
POLICIES = [policy(), SERVER, CLIENT, EVERYTHING]
