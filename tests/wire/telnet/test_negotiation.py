"""What two peers agree on: the Q method, input by input."""

from __future__ import annotations

from itertools import product

import pytest

from echoproto.wire.telnet.negotiation import (
    _Q_METHOD,
    MAX_TURNS,
    Negotiation,
    Side,
    _Input,
    _State,
)
from telnet_rules import policy

OPTION = 3

# RFC 1143, section 7: in each state, on each input, what is said ("+" is WILL or DO) and where it
# leads. A state is named by how one gets there from nothing: "Y" the peer proposes and we agree,
# "+" we ask for it, "-" we ask it away.
RFC_1143 = {
    # state: {agreed, refused, stopped, ask on, ask off}
    "": ["+ Y", "- ", "", "+ +", ""],
    "Y": ["Y", "Y", "- ", "Y", "- Y-"],
    "Y-": ["", "", "", "Y-+", "Y-"],
    "Y-+": ["Y", "Y", "+ +", "Y-+", "Y-"],
    "+": ["Y", "Y", "", "+", "+-"],
    "+-": ["- Y-", "- Y-", "", "+", "+-"],
}
STATES = dict(
    zip(
        RFC_1143,
        [
            *[_State.NO, _State.YES, _State.WANTNO, _State.WANTNO_OPPOSITE],
            *[_State.WANTYES, _State.WANTYES_OPPOSITE],
        ],
        strict=True,
    )
)
SAID = {"": None, "+": True, "-": False}


def in_state(path, side, *, agreed=True):
    """What was agreed on, in a state of the table."""
    both = {OPTION} if agreed else set()
    one = Negotiation(policy(both, both))
    for step in path:
        if step == "Y":
            if not agreed:  # the policy would refuse it, so that it is asked for
                one.asked(side, OPTION, on=True)
            one.received(side, OPTION, on=True)
        else:
            one.asked(side, OPTION, on=step == "+")
    return one


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("path", RFC_1143)
@pytest.mark.parametrize("input", _Input)
def test_the_table_is_that_of_rfc_1143(side, path, input):
    one = in_state(path, side, agreed=input is not _Input.REFUSED)
    assert one._states.get((side, OPTION), _State.NO) is STATES[path]
    was_on = one.is_on(side, OPTION)
    if input in (_Input.ASK_ON, _Input.ASK_OFF):
        outcome = one.asked(side, OPTION, on=input is _Input.ASK_ON)
    else:
        outcome = one.received(side, OPTION, on=input is not _Input.STOPPED)
    say, _, leads_to = RFC_1143[path][list(_Input).index(input)].rpartition(" ")
    assert outcome.to_send is SAID[say]
    assert one._states.get((side, OPTION), _State.NO) is STATES[leads_to]
    is_on = one.is_on(side, OPTION)
    assert outcome.changed_to is (None if is_on == was_on else is_on)


def test_the_table_is_whole():
    assert set(_Q_METHOD) == set(product(_State, _Input))


@pytest.mark.parametrize("side", Side)
def test_the_sides_and_the_options_are_independent(side):
    one = Negotiation(policy({1, 9, 2}, {1, 9, 2}))
    for option in (9, 1, 3):
        one.received(side, option, on=True)
    assert one.options(side) == [1, 9]
    (other,) = set(Side) - {side}
    assert one.options(other) == []


def test_an_option_that_we_ask_for_is_agreed_to_whatever_the_policy():
    one = Negotiation(policy())
    assert one.asked(Side.LOCAL, OPTION, on=True) == (True, None)
    assert not one.is_on(Side.LOCAL, OPTION)
    assert one.received(Side.LOCAL, OPTION, on=True) == (None, True)
    assert one.options(Side.LOCAL) == [OPTION]


def test_our_side_is_off_when_we_have_said_so_and_the_peers_when_it_has():
    for side, off in ((Side.LOCAL, True), (Side.REMOTE, False)):
        one = in_state("Y", side)
        one.asked(side, OPTION, on=False)
        assert one.is_on(side, OPTION) is not off
        one.received(side, OPTION, on=False)
        assert not one.is_on(side, OPTION)


def test_an_option_that_is_turned_on_again_and_again_is_refused_until_data_comes():
    one = Negotiation(policy(remote={OPTION}))

    def turn():
        outcome = one.received(Side.REMOTE, OPTION, on=True)
        one.received(Side.REMOTE, OPTION, on=False)
        return outcome

    assert [turn() for _ in range(MAX_TURNS)] == [(True, True)] * MAX_TURNS
    assert [turn(), turn()] == [(False, None)] * 2
    one.turns.clear()
    assert turn() == (True, True)


def test_to_propose_what_is_on_is_no_turn():
    one = Negotiation(policy(remote={OPTION}))
    for _ in range(MAX_TURNS + 2):
        one.received(Side.REMOTE, OPTION, on=True)
    one.received(Side.REMOTE, OPTION, on=False)
    assert one.received(Side.REMOTE, OPTION, on=True) == (True, True)
