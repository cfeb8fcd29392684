"""The run through a session: what is sent when, what comes, and what differs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.recorder import Recorder
from echoproto.wire.session_entries import Entry
from echoproto.wire.session_file import parse
from echoproto.wire.session_player import (
    MAX_MATCHED,
    MAX_PROMPT,
    Differs,
    Player,
    SendData,
    Waiting,
)


def player_of(text, **values):
    return Player(parse(f"# echoproto session 1\n{text}".encode(), "x"), values)


def play(player, *chunks, eof=False):
    """What is sent while `chunks` come; then what is waited for, or differs, or None."""
    sent = []
    for chunk in [b"", *chunks, None]:
        if chunk is None and eof:
            player.eof()
        elif chunk:
            player.receive(chunk)
        while isinstance(step := player.step(), SendData):
            sent.append(step.data)
    if step is not None:
        step = (type(step), step.entry.source)
    return sent, step


def outcome(text, *chunks, eof=False, **values):
    return play(player_of(text, **values), *chunks, eof=eof)


def test_an_entry_of_a_new_kind_is_never_skipped():
    entry = Entry(2, "new", None, b"")
    session = replace(parse(b"# echoproto session 1", "x"), entries=(entry,))
    with pytest.raises(TypeError, match="source='new'"):
        Player(session, {}).step()


def test_a_line_is_sent_when_all_before_it_has_come():
    player = player_of("< a\n> b\n> c\n< d\n> e")
    assert play(player) == ([], (Waiting, "< a"))
    assert play(player, b"a\r") == ([], (Waiting, "< a"))
    assert play(player, b"\nd") == ([b"b\r\n", b"c\r\n"], (Waiting, "< d"))
    assert play(player, b"\r\nmore") == ([b"e\r\n"], None)


@pytest.mark.parametrize("chunk", [b"b", b"a\n", b"a\rb", b"aa\r\n"])
def test_the_first_byte_that_differs_is_enough(chunk):
    player = player_of("< a")
    assert play(player, chunk) == ([], (Differs, "< a"))
    assert player.got == chunk


def test_a_prompt_needs_no_line_end():
    assert outcome("< login: \\\n> me", b"login:") == ([], (Waiting, "< login: \\"))
    assert outcome("< login: \\\n> me", b"login: ") == ([b"me\r\n"], None)


def test_a_line_is_matched_as_a_whole_and_its_groups_are_used_later():
    text = "<~ id=(?P<id>\\w+) .*\n> get ${id} ${user}\n<~ ${id}!"
    assert outcome(text, b"id=7.", user=b"me") == ([], (Waiting, "<~ id=(?P<id>\\w+) .*"))
    assert outcome(text, b"id=x7 yes\r\nx7!\r\n", user=b"me") == ([b"get x7 me\r\n"], None)
    assert outcome(text, b"id=x7 yes\r\nx8!\r\n", user=b"me")[1] == (Differs, "<~ ${id}!")
    assert outcome("<~ a", b"aa\r\n") == ([], (Differs, "<~ a"))
    assert outcome("<~ a\\s*", b"a\n") == ([], (Differs, "<~ a\\s*"))
    assert outcome("eol nul\n<~ a.*", b"a\r\nb\0") == ([], (Differs, "<~ a.*"))
    assert outcome("eol nul\n<~ a\\s*b", b"a\r\nb\0") == ([], None)


def test_a_value_that_a_group_has_found_is_kept_as_its_bytes():
    player = player_of("<~ (?P<x>.*)\n> ${x}")
    assert play(player, b"\xff\xc3\xa4\r\n") == ([b"\xff\xc3\xa4\r\n"], None)


def test_a_regular_expression_without_a_line_end_takes_the_shortest_beginning():
    text = "<~ .*[$#] \\\n< rest\n"
    assert outcome(text, b"me$ $ rest\r\n")[1] == (Differs, "< rest")
    assert outcome(text, b"me$ rest\r\n") == ([], None)
    assert outcome(text, b"no\r\nme$ ") == ([], (Differs, "<~ .*[$#] \\"))
    assert outcome("<~ .\\\n> x", "ä".encode()[:1]) == ([], (Waiting, "<~ .\\"))
    assert outcome("<~ .*\\\n> x", "ä".encode()[:1]) == ([], (Waiting, "<~ .*\\"))
    assert outcome("<~ .\\\n> x", "ä".encode()) == ([b"x\r\n"], None)


def test_a_line_that_is_too_long_for_a_regular_expression_differs():
    assert outcome("<~ .*", b"x" * MAX_MATCHED)[1] == (Differs, "<~ .*")
    assert outcome("<~ .*! \\", b"x" * MAX_PROMPT)[1] == (Differs, "<~ .*! \\")


def test_anything_is_skipped_up_to_the_next_expected_line():
    text = "> a\n<*\n> b\n< end\n< after"
    assert outcome(text, b"x\r\nend!\r\n end\r\nend\r\naf") == (
        [b"a\r\n", b"b\r\n"], (Waiting, "< after"),
    )  # fmt: skip
    assert outcome(text, b"end\r\nafter\r\n")[1] is None
    assert outcome(text, b"x\r\nend\r\nx\r\nafter\r\n")[1] == (Differs, "< after")
    assert outcome(text, b"x\r\n", eof=True)[1] == (Differs, "< end")
    assert outcome("<*\n<~ \\d+", b"x\r\n1y\r\n12\r\n")[1] is None
    assert outcome("<*\n<~ \\$ \\", b"x $ \r\n$ ")[1] is None
    assert outcome("<*", b"x")[1] is None


def test_the_end_is_expected_too():
    assert outcome("<! close", b"")[1] == (Waiting, "<! close")
    assert outcome("<! close", eof=True)[1] is None
    assert outcome("<! close", b"x", eof=True)[1] == (Differs, "<! close")
    assert outcome("< a", b"a", eof=True)[1] == (Differs, "< a")
    assert outcome("<*\n<! close", b"x\r\ny", eof=True)[1] is None
    assert outcome("<*\n<! close", b"x\r\ny")[1] == (Waiting, "<! close")


def test_what_came_instead_is_the_rest_of_its_line_or_the_last_line_that_was_skipped():
    player = player_of("<*\n< b")
    play(player, b"one\r\ntwo\r\n", eof=True)
    assert player.got == b"two\r\n"
    player = player_of("< b")
    play(player, b"one\r\ntwo\r\n")
    assert player.got == b"one\r\n"


def test_it_can_begin_again_with_the_values_of_the_file_and_what_has_come():
    player = player_of("set x a\n> ${x}\n<~ (?P<x>.)")
    assert play(player, b"z\r\ny\r") == ([b"a\r\n"], None)
    player.restart()
    assert play(player) == ([b"a\r\n"], (Waiting, "<~ (?P<x>.)"))
    assert play(player, b"\n") == ([], None)


STREAM = st.lists(st.sampled_from([b"a", b"b", b"\r\n", b"\n", b"\r", b"ab\r\n"])).map(b"".join)
EXPECTED = st.lists(
    st.sampled_from(["< a", "< ab", "< a\\", "<~ a.*", "<~ .*b\\", "<*", "<! close"]), max_size=4
).filter(lambda lines: "<! close" not in lines[:-1])


@given(EXPECTED, STREAM, st.lists(st.integers(0, 30)), st.booleans())
def test_how_the_data_is_cut_makes_no_difference(lines, stream, cuts, eof):
    at = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(at)]
    text = "\n".join(lines)
    assert outcome(text, *chunks, eof=eof) == outcome(text, stream, eof=eof)


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1))))
def test_what_was_recorded_is_as_recorded(steps):
    recorder = Recorder()
    text = recorder.header()
    for is_sent, data in steps:
        text += (recorder.sent if is_sent else recorder.received)(data, 0.0)
    text += recorder.received_eof(0.0)
    player = Player(parse(text.encode(), "x"), {})
    received = [data for is_sent, data in steps if not is_sent]
    sent, last = play(player, *received, eof=True)
    assert last is None
    assert b"".join(sent) == b"".join(data for is_sent, data in steps if is_sent)
