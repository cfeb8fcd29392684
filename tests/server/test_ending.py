"""The table of how a connection ends, by itself."""

from __future__ import annotations

from itertools import product

import pytest
from twisted.internet.task import Clock

from echoproto.server.ending import ENDING, LINGER, Action, Ending, EndingEvent, State

# The table by itself


class Recorded:
    """A fake connection that records the actions that `Ending` calls."""

    unsent = 0

    def __init__(self):
        self.clock = Clock()
        self.done = []
        self.ending = Ending(self)

    def deliver_end(self):
        self.done.append(Action.DELIVER)

    def notify_end(self):
        self.done.append(Action.NOTIFY)

    def half_close(self):
        self.done.append(Action.HALF_CLOSE)

    def close(self):
        self.done.append(Action.CLOSE)


@pytest.mark.parametrize(("state", "event"), list(product(State, EndingEvent)))
def test_what_happens_does_what_its_row_says_and_without_a_row_nothing(state, event):
    recorded = Recorded()
    recorded.ending.state = state
    recorded.ending.handle(event)
    then, action = ENDING.get((state, event), (state, None))
    assert recorded.ending.state is then
    assert recorded.done == ([action] if action not in (None, Action.WAIT) else [])
    assert len(recorded.clock.getDelayedCalls()) == (action is Action.WAIT)


def test_nothing_leads_away_from_lost():
    assert not [row for row in ENDING if row[0] is State.LOST]


def test_every_state_is_reached_and_leads_to_the_same_end_whatever_happens_first():
    reached = {State.OPEN}
    while more := {ENDING[row][0] for row in ENDING if row[0] in reached} - reached:
        reached |= more
    assert reached == set(State)
    for state in set(State) - {State.LOST}:
        assert ENDING[state, EndingEvent.LOST] == (State.LOST, None)
        assert ENDING[state, EndingEvent.ABORT] == (State.CLOSING, None)


def test_no_way_leads_back():
    """No transition leads back to an earlier state, so every ending finishes."""
    leads = {(before, after) for (before, _), (after, _) in ENDING.items() if before is not after}
    order = [State.OPEN, State.EOF, State.EOF_NOTIFIED, State.ENDED, State.NOTIFIED,
             State.LINGERING, State.CLOSING, State.LOST]  # fmt: skip
    backwards = {(a, b) for a, b in leads if order.index(a) >= order.index(b)}
    assert not backwards


@pytest.mark.parametrize("event", EndingEvent)
def test_who_was_first_is_who_left_open(event):
    recorded = Recorded()
    for then in [event, EndingEvent.CLOSE, EndingEvent.PEER_ENDED, EndingEvent.LOST]:
        recorded.ending.handle(then)
    ours = [EndingEvent.CLOSE, EndingEvent.FINISH, EndingEvent.ABORT]
    does_nothing = [EndingEvent.DELIVERED, EndingEvent.SENT, EndingEvent.TIME_UP]
    assert recorded.ending.is_ours == (event in ours + does_nothing)
    assert recorded.ending.first is (EndingEvent.CLOSE if event in does_nothing else event)


def test_time_is_up_once_and_not_after_the_connection_was_lost():
    recorded = Recorded()
    for event in [EndingEvent.FINISH, EndingEvent.SENT, EndingEvent.SENT]:
        recorded.ending.handle(event)
    assert len(recorded.clock.getDelayedCalls()) == 1
    recorded.clock.advance(LINGER - 0.1)
    assert recorded.done == [Action.HALF_CLOSE]
    recorded.clock.advance(0.1)
    assert recorded.done == [Action.HALF_CLOSE, Action.CLOSE]

    recorded = Recorded()
    for event in [EndingEvent.FINISH, EndingEvent.SENT, EndingEvent.LOST]:
        recorded.ending.handle(event)
    assert not recorded.clock.getDelayedCalls()


@pytest.mark.parametrize("left", [100, 0], ids=["nothing moves", "all has arrived"])
def test_time_is_not_up_while_what_was_sent_is_on_its_way(left):
    recorded = Recorded()
    recorded.unsent = 300
    recorded.ending.handle(EndingEvent.FINISH)
    recorded.ending.handle(EndingEvent.SENT)
    for recorded.unsent in (200, 100):
        recorded.clock.advance(LINGER)
    assert recorded.done == [Action.HALF_CLOSE]
    recorded.unsent = left
    recorded.clock.advance(LINGER)
    assert recorded.done == [Action.HALF_CLOSE, Action.CLOSE]
