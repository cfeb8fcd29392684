"""Layers, and pipelines of them: bytes in at the bottom, events out at the top, and down again."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.layer import DataReceived, Ended, Layer, Pipeline, Reply
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import CommandReceived, OptionChanged, TelnetStarted
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import PIPE_POLICY, SERVER_POLICY, SHELL_POLICY, Option
from telnet_bytes import AYT, DO, IAC, SGA, TIMING_MARK, WILL
from telnet_rules import (
    EVERYTHING,
    PIECES,
    check_drops,
    data_of,
    merged,
    policy,
    received,
    reply_of,
    settle,
)


class Xor(Layer):
    """A layer without a state: each byte is another below."""

    def receive(self, data):
        return super().receive(self.send(data))

    def send(self, data):
        return bytes(byte ^ 0x55 for byte in data)


class Frames(Layer):
    """A layer with an end of its own, as TLS has: a length, then so many bytes; 0 is the end."""

    def __init__(self):
        self._data = b""
        self._over = False

    def receive(self, data):
        self._data += data
        while self._data and not self._over and len(self._data) > self._data[0]:
            length = 1 + self._data[0]
            frame, self._data = self._data[1:length], self._data[length:]
            self._over = not frame
            yield Ended() if self._over else DataReceived(frame)

    def send(self, data):
        frames = (data[start : start + 255] for start in range(0, len(data) or 1, 255))
        return b"".join(bytes([len(frame)]) + frame for frame in frames)

    def eof(self):
        yield Ended(clean=self._over)

    def finish(self):
        return b"\0"


class Late(Layer):
    """A layer that keeps what is sent, as TLS does before its handshake is done."""

    def send(self, data):  # noqa: ARG002
        return b""


def telnet(of=EVERYTHING, **kwargs):
    return TelnetCodec(of, **kwargs)


STACKS = {
    "nothing": list,
    "telnet": lambda: [telnet(SERVER_POLICY)],
    "telnet over xor": lambda: [Xor(), telnet(SERVER_POLICY, mode="auto")],
    "telnet over frames": lambda: [Frames(), telnet(PIPE_POLICY)],
    "telnet over telnet": lambda: [telnet(SERVER_POLICY), telnet(SHELL_POLICY)],
    "telnet over telnet, perhaps": lambda: [telnet(PIPE_POLICY, mode="auto"), telnet(mode="auto")],
    "telnet over frames over telnet": lambda: [
        telnet(SHELL_POLICY),
        Frames(),
        telnet(SERVER_POLICY),
    ],
}
stacks = pytest.mark.parametrize("make", STACKS.values(), ids=STACKS)

FINE = bytes(range(256)) * 2 + b"\r\n\r\0\r\r\n\n\xff\xff\xfd"


# One layer, and none


@pytest.mark.parametrize("layer", [Layer(), Pipeline()])
def test_a_layer_that_does_nothing_and_no_layer_at_all_change_nothing(layer):
    assert list(layer.receive(FINE)) == [DataReceived(FINE)]
    assert list(layer.receive(b"")) == []
    assert layer.send(FINE) == FINE
    assert layer.finish() == b""
    assert list(layer.eof()) == [Ended()]


# What goes up


@stacks
def test_what_one_sends_through_its_layers_the_other_receives(make):
    one, other = Pipeline(make()), Pipeline(make())
    for data in (FINE, b"a", FINE * 20):
        assert data_of(received(other, one.send(data))) == data


def test_the_events_of_all_layers_reach_the_application_in_their_order():
    one = Pipeline([telnet(SERVER_POLICY), telnet(SERVER_POLICY)])
    inner = b"a" + IAC + DO + TIMING_MARK + AYT
    stream = telnet().send(inner) + IAC + b"\x01" + telnet().send(b"b" + IAC + b"\x02")
    up = [event for event in received(one, stream) if not isinstance(event, Reply)]
    assert merged(up) == [
        DataReceived(b"a"),
        CommandReceived(AYT[1]),
        CommandReceived(1),
        DataReceived(b"b"),
        CommandReceived(2),
    ]


def test_what_is_decided_at_one_event_holds_for_the_next_in_all_layers():
    lower, upper = telnet(policy()), telnet(policy())
    one = Pipeline([lower, upper])
    events = one.receive(telnet().send(b"a" + IAC + WILL + SGA) + IAC + WILL + SGA)
    assert next(events) == DataReceived(b"a")
    upper.request(Side.REMOTE, Option.SGA, on=True)  # so that WILL is the answer, and not refused
    assert next(events) == OptionChanged(Side.REMOTE, Option.SGA, on=True)
    lower.request(Side.REMOTE, Option.SGA, on=True)
    assert list(events) == [OptionChanged(Side.REMOTE, Option.SGA, on=True)]


def test_what_arrives_while_a_higher_layer_still_has_events_comes_after_them():
    one = Pipeline([Xor(), telnet()])
    xor = Xor().send
    assert next(one.receive(xor(b"a" + IAC + b"\x01"))) == DataReceived(b"a")
    assert next(one.receive(xor(b"b"))) == CommandReceived(1)  # dropped before `b` went up
    assert received(one, xor(b"c")) == [DataReceived(b"bc")]


def test_the_events_of_the_highest_layer_are_the_oldest():
    one = Pipeline([Xor(), telnet(), telnet()])
    stream = telnet().send(IAC + b"\x01" + IAC + b"\x02") + IAC + b"\x03"
    assert next(one.receive(Xor().send(stream))) == CommandReceived(1)
    assert received(one, b"") == [CommandReceived(2), CommandReceived(3)]


# What goes down


def test_a_reply_goes_down_through_the_layers_below_its_own():
    one = Pipeline([Frames(), Xor(), telnet(SERVER_POLICY)])
    mark = IAC + DO + TIMING_MARK
    reply = reply_of(received(one, Frames().send(Xor().send(mark))))
    assert reply == Frames().send(Xor().send(IAC + WILL + TIMING_MARK))


def test_a_reply_of_the_lowest_layer_goes_out_as_it_is():
    one = Pipeline([telnet(SERVER_POLICY), Xor()])
    assert reply_of(received(one, IAC + DO + TIMING_MARK)) == IAC + WILL + TIMING_MARK


def test_a_reply_that_a_layer_keeps_is_none():
    assert received(Pipeline([Late(), telnet(SERVER_POLICY)]), IAC + DO + TIMING_MARK) == []


@stacks
def test_finish_passes_down_so_that_the_peer_has_an_end_where_a_layer_has_one(make):
    one, other = Pipeline(make()), Pipeline(make())
    events = received(other, one.send(b"last") + one.finish())
    assert data_of(events) == b"last"
    has_an_end = any(isinstance(layer, Frames) for layer in one.layers)
    assert (Ended() in events) is has_an_end


def test_the_end_of_a_higher_layer_goes_through_those_below_and_before_theirs():
    one = Pipeline([Frames(), Xor(), Frames()])
    assert one.finish() == Frames().send(Xor().send(b"\0")) + b"\0"


def test_what_a_layer_has_for_its_end_is_not_asked_of_those_above_it():
    one = Pipeline([Frames(), Xor()])
    assert one.finish() == b"\0"


# The end


def test_the_end_goes_up_through_all_layers_and_each_gives_what_it_still_holds():
    one = Pipeline([telnet(mode="auto"), telnet(mode="auto")])
    assert received(one, b"a\xff") == [DataReceived(b"a")]
    assert one.layers[0].pending == b"\xff"
    assert list(one.eof()) == [DataReceived(b"\xff"), Ended()]
    assert not one.layers[0].pending + one.layers[1].pending


@pytest.mark.parametrize("above", [[], [telnet()], [Xor(), Frames()]])
def test_an_end_is_clean_if_every_layer_that_has_one_had_it(above):
    cut = Pipeline([Frames(), *above])
    assert received(cut, b"\5cut") == []
    assert list(cut.eof()) == [Ended(clean=False)]


def test_an_end_that_is_clean_below_may_be_unclean_above():
    one = Pipeline([Frames(), Frames()])
    assert received(one, b"\2\1a" + b"\0") == [DataReceived(b"a"), Ended(clean=False)]
    one = Pipeline([Frames(), Frames()])
    assert received(one, b"\3\1a\0") == [DataReceived(b"a"), Ended(clean=True)]


def test_an_unclean_end_stays_so_if_the_iterator_is_dropped_before_it():
    one = Pipeline([Frames(), telnet(mode="auto")])
    assert received(one, b"\1\xff") == []
    assert next(one.eof()) == DataReceived(b"\xff")
    assert received(one, b"") == [Ended(clean=False)]


def test_the_end_comes_after_all_that_was_not_asked_for():
    one = Pipeline([Xor(), telnet()])
    one.receive(Xor().send(b"a" + IAC + b"\x01"))
    assert list(one.eof()) == [DataReceived(b"a"), CommandReceived(1), Ended()]


# Whatever comes


def cut(stream, lengths):
    ends = [*accumulate(lengths), len(stream)]
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def in_plain_frames(events, make):
    """Events with the replies as the peer has them: how they are cut into frames may differ."""
    stack = make()
    frames = [at for at, layer in enumerate(stack) if isinstance(layer, Frames)]
    peer = Pipeline(stack[: frames[-1] + 1] if frames else [])
    for event in events:
        if isinstance(event, Reply):
            yield Reply(data_of(peer.receive(event.data)))
        else:
            yield event


@given(
    st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=3), max_size=30),
    st.lists(st.integers(0, 7), max_size=10),
    st.sampled_from(list(STACKS.values())),
    st.booleans(),
)
def test_however_a_stream_is_cut_and_iterators_are_dropped_the_events_are_the_same(
    pieces, lengths, make, is_for_the_highest
):
    sender = Pipeline(make()[:-1] if is_for_the_highest else [])
    chunks = cut(b"".join(map(sender.send, pieces)), lengths)
    check_drops(
        lambda: Pipeline(make()), chunks, lambda events: merged(in_plain_frames(events, make))
    )


@stacks
def test_two_pipelines_of_the_same_layers_settle(make):
    one, other = Pipeline(make()), Pipeline(make())
    greetings = [one.send(b"".join(PIECES)), other.send(b"".join(PIECES[::-1]))]
    settle([one, other], greetings)


def test_telnet_begins_in_each_layer_by_itself():
    one = Pipeline([telnet(mode="auto"), telnet(mode="auto")])
    events = received(one, b"a" + AYT + telnet().send(b"b" + AYT))
    assert [type(event) for event in events if not isinstance(event, Reply)] == [
        *[DataReceived, TelnetStarted, CommandReceived],
        *[DataReceived, TelnetStarted, CommandReceived],
    ]


@pytest.mark.parametrize("make", [Layer, Pipeline, lambda: Pipeline([Layer()])])
def test_a_layer_that_changes_nothing_keeps_what_an_iterator_that_is_dropped_did_not_give(make):
    layer = make()
    layer.receive(b"one")
    layer.receive(b" two")
    layer.eof()
    assert list(layer.receive(b"")) == [DataReceived(b"one two"), Ended()]
    assert list(layer.receive(b"")) == []


def test_what_a_layer_has_to_say_passes_through_those_below_it_only():
    telnet, other = TelnetCodec(SHELL_POLICY), TelnetCodec(SHELL_POLICY)
    pipeline = Pipeline([telnet, other])
    assert pipeline.send_below(telnet, b"\xff") == b"\xff"
    assert pipeline.send_below(other, b"\xff") == b"\xff\xff"
