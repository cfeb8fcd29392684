"""Rules of telnet that hold whatever comes: hypothesis and a fuzzer try to break them."""

from __future__ import annotations

from itertools import count, islice

from echoproto.wire.layer import DataReceived, Ended, Reply
from echoproto.wire.telnet.codec import MAX_REPLY_EXCESS, TelnetCodec
from echoproto.wire.telnet.commands import OptionChanged, SubnegotiationReceived
from echoproto.wire.telnet.negotiation import Policy, Side
from echoproto.wire.telnet.options import (
    PIPE_POLICY,
    SERVER_POLICY,
    SHELL_POLICY,
    Option,
    parse_subnegotiation,
)
from telnet_bytes import AYT, CHARSET, DO, DONT, IAC, SB, SE, TTYPE, WILL, WONT

# Pieces with a special meaning, from which streams are built.
PIECES = [
    *[
        b"a",
        b"\r",
        b"\n",
        b"\0",
        b"\1",
        b"\xff",
        b"\xff\xff",
        WILL,
        WONT,
        DO,
        DONT,
        SB,
        SE,
        AYT[1:],
    ],
    *[bytes([option]) for option in Option],
    *[IAC + verb + bytes([option]) for verb in (WILL, DO) for option in Option],
    SB + TTYPE + b"\1" + SE,
    SB + CHARSET + b"\1;UTF-8" + SE,
]


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


def received(layer, *chunks):
    """All events of `chunks`, each given by itself."""
    return [event for chunk in chunks for event in layer.receive(chunk)]


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
    assert len(reply_of(events)) <= len(stream) + MAX_REPLY_EXCESS
    for side in Side:
        assert cut.options(side) == whole.options(side)
    assert len(cut.pending) <= 2
    held, end = cut.pending, list(cut.eof())
    assert end == list(whole.eof())
    assert end == [DataReceived(held)] * bool(held and not cut.is_telnet) + [Ended()]
    assert not cut.pending
    if not cut.is_telnet:
        assert data_of(events + end) == stream
        assert not reply_of(events)
    for event in events:
        if isinstance(event, SubnegotiationReceived):
            parse_subnegotiation(event.option, event.payload)
    check_drops(make_codec, chunks)


def check_drops(make_layer, chunks, comparable=merged):
    """However a stream is cut, and wherever an iterator is dropped, the events are the same."""
    whole, stream = make_layer(), b"".join(chunks)
    events = comparable([*received(whole, stream), *whole.eof()])
    for length in (0, 1, 2, len(stream) + 1):
        assert comparable(received_in_part(make_layer(), chunks, length)) == events


def received_in_part(layer, chunks, length):
    """All events to the end, but each iterator is dropped after `length` events."""
    events = []
    for chunk in chunks:
        events += islice(layer.receive(chunk), length)
    events += islice(layer.eof(), length)
    while more := list(islice(layer.receive(b""), max(length, 1))):
        events += more
    return events


def check_encoding(codec, peer, *datas):
    """What one sends, the other receives; and the bytes on the wire do not show the cuts."""
    wire = [codec.send(data) for data in datas] + [codec.finish()]
    assert data_of(received(peer, *wire)) == b"".join(datas)
    if not codec.is_on(Side.REMOTE, Option.ECHO):  # else an Enter at the end of data is complete
        assert b"".join(wire) == codec.send(b"".join(datas)) + codec.finish()


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
        assert codecs[one].options(Side.LOCAL) == codecs[1 - one].options(Side.REMOTE)
        for side in Side:
            changes = [event for event in events[one] if isinstance(event, OptionChanged)]
            on = {event.option for event in changes if event.side is side and event.on}
            assert set(codecs[one].options(side)) <= on
    return codecs


def policy(local=(), remote=()):
    return Policy(frozenset(local), frozenset(remote))


EVERYTHING = policy(range(256), range(256))
POLICIES = [policy(), SERVER_POLICY, PIPE_POLICY, SHELL_POLICY, EVERYTHING]
