"""A tap: what it reports, and what it leaves alone."""

from __future__ import annotations

from echoproto.wire.layer import DataReceived, Ended, Layer, Pipeline
from echoproto.wire.tap import Tap, TapLayer, WireEvent, WireKind
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import PIPE_POLICY
from telnet_bytes import DO, IAC, SGA, WILL


def tapped():
    """A tap whose clock goes on by a second at each event; its events, and its errors."""
    events, errors = [], []
    return Tap(events.append, lambda: float(len(events)), errors.append), events, errors


def test_each_event_has_its_time_and_its_data():
    tap, events, _ = tapped()
    tap.report(WireKind.CONNECTED, local=("::1", 1), remote=("::1", 2))
    tap.sent(b"hello")
    tap.received(b"hello")
    assert events == [
        WireEvent(0.0, WireKind.CONNECTED, local=("::1", 1), remote=("::1", 2)),
        WireEvent(1.0, WireKind.SENT, b"hello"),
        WireEvent(2.0, WireKind.RECEIVED, b"hello"),
    ]


def test_no_bytes_are_no_event():
    tap, events, _ = tapped()
    tap.sent(b"")
    tap.received(b"")
    assert events == []


def test_each_end_is_reported_once_and_nothing_after_the_connection_is_closed():
    tap, events, _ = tapped()
    ends = [WireKind.RECEIVED_EOF, WireKind.SENT_EOF, WireKind.LOST, WireKind.CLOSED]
    for kind in (*ends, *ends):
        tap.report(kind)
    tap.received(b"late")
    assert [event.kind for event in events] == ends


def test_what_had_arrived_before_the_connection_was_lost_is_reported():
    tap, events, _ = tapped()
    tap.report(WireKind.LOST, text="reset")
    tap.received(b"x")
    assert [event.kind for event in events] == [WireKind.LOST, WireKind.RECEIVED]


def test_a_function_that_fails_is_not_called_again_and_its_error_is_handed_on_once():
    errors = []
    calls = []

    def fails(event):
        calls.append(event)
        raise ValueError("broken")

    tap = Tap(fails, lambda: 0.0, errors.append)
    tap.sent(b"x")
    tap.sent(b"y")
    assert len(calls) == 1
    assert [str(error) for error in errors] == ["broken"]


def test_a_layer_reports_what_passes_and_changes_nothing():
    tap, events, _ = tapped()
    pipeline = Pipeline([TapLayer(tap), Layer()])
    assert list(pipeline.receive(b"in")) == [DataReceived(b"in")]
    assert pipeline.send(b"out") == b"out"
    assert pipeline.finish() == b""
    assert list(pipeline.eof()) == [Ended()]
    assert [(event.kind, event.data) for event in events] == [
        (WireKind.RECEIVED, b"in"),
        (WireKind.SENT, b"out"),
        (WireKind.SENT_EOF, b""),
    ]


def test_what_a_layer_above_replies_is_reported_too():
    tap, events, _ = tapped()
    pipeline = Pipeline([TapLayer(tap), TelnetCodec(PIPE_POLICY)])
    list(pipeline.receive(IAC + WILL + SGA))
    assert [(event.kind, event.data) for event in events] == [
        (WireKind.RECEIVED, IAC + WILL + SGA),
        (WireKind.SENT, IAC + DO + SGA),
    ]
