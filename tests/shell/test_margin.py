"""What stands beside the lines: the times of replies, and time stamps."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.shell.margin import Margin, format_time
from echoproto.shell.outbox import Outgoing
from in_shell import ECHO, ENTER, SGA, WILL, Recording, in_shell


class Times:
    """A margin of a session, with a clock that stands still."""

    def __init__(self, **settings):
        self.shell = Recording(**settings)
        self.seconds = 0.0
        self.day = datetime(2026, 1, 2, 12, 34, 56, 789_999)  # noqa: DTZ001 - the local time
        margin = Margin(self.shell.session, clock=lambda: self.seconds, now=lambda: self.day)
        self.shell.session._margin = margin
        self.shell.session.watchers = [margin]

    def send(self, line, after=0.0, *, is_secret=False):
        """Type a line, and let the session send it and wait."""
        self.shell.session.type_lines([line])
        self.shell.session.outbox.discard()
        self.shell.session._note_sent(Outgoing(line.encode(), is_secret))
        self.seconds += after


def test_the_time_of_a_reply_is_beside_its_first_line_alone():
    times = Times(reply_times=True)
    times.send("hello", 0.0123)
    times.shell.say(b"one\r\ntwo\r\n")
    times.shell.say(b"three\r\n")
    assert times.shell.printed == "> hello\none  12 ms\ntwo\nthree\n"


def test_the_time_is_that_of_the_first_byte():
    times = Times(reply_times=True)
    times.send("hello", 0.0004)
    times.shell.say(b"he")
    times.seconds += 5
    times.shell.say(b"llo\r\n")
    assert times.shell.printed == "> hello\nhello  0.4 ms\n"


def test_the_time_is_that_of_the_arrival_even_if_the_reply_is_shown_later():
    times = Times(reply_times=True)
    times.send("hello", 0.0004)
    times.shell.session.note_arrival()
    times.seconds += 1
    times.shell.say(b"hello\n")
    times.send("again", 0.002)
    times.shell.say(b"again\n")
    assert times.shell.printed == "> hello\nhello  0.4 ms\n> again\nagain  2.0 ms\n"


def test_a_reply_that_a_pause_has_held_has_no_time():
    times = Times(reply_times=True)
    times.send("before", 0.001)
    times.shell.session.toggle_pause()
    times.shell.take_printed()
    times.shell.session.toggle_pause()
    times.shell.say(b"before\n")
    times.shell.session.toggle_pause()
    times.send("meanwhile", 0.001)
    times.shell.session.toggle_pause()
    times.shell.say(b"meanwhile\n")
    assert times.shell.printed.startswith("before\n")
    assert times.shell.printed.endswith("> meanwhile\nmeanwhile\n")


def test_times_are_those_of_the_arrival_also_if_it_is_shown_later():
    times = Times(reply_times=True, stamps=True)
    times.send("hello", 0.001)
    times.shell.take_printed()
    times.shell.session.note_received(b"one\n")
    times.seconds += 5
    times.day = times.day.replace(minute=59)
    times.shell.session.receive(b"one\n")
    assert times.shell.printed == "12:34:56.789 one  1.0 ms\n"


def test_the_time_is_that_from_the_last_send():
    times = Times(reply_times=True)
    times.send("one", 60)
    times.send("two", 0.001)
    times.shell.say(b"two\n")
    assert times.shell.printed.endswith("two  1.0 ms\n")


def test_no_time_is_beside_an_empty_line_but_beside_the_next():
    times = Times(reply_times=True)
    times.send("hello", 0.001)
    times.shell.say(b"\r\n")
    times.shell.say(b"\r\none\r\ntwo\r\n")
    assert times.shell.take_printed() == "> hello\n\n\none  1.0 ms\ntwo\n"


def test_a_reply_without_a_line_end_has_its_time_behind_the_mark():
    times = Times(reply_times=True)
    times.send("hello", 0.001)
    times.shell.say(b"hello")
    times.shell.session.settle()
    assert times.shell.prompt == "hello⏎  1.0 ms\n> "
    times.send("world", 0.002)
    times.shell.say(b"world")
    times.shell.session.settle()
    times.shell.session.close()
    assert times.shell.printed == "> hello\nhello⏎  1.0 ms\n> world\nworld⏎  2.0 ms\n"


def test_a_prompt_looks_as_it_did():
    times = Times(reply_times=True)
    times.send("hello", 0.001)
    times.shell.say(b"login: ")
    times.shell.session.settle()
    assert times.shell.prompt == "login: "
    times.send("me", 0.002)
    times.shell.say(b"welcome\n")
    assert times.shell.printed == "> hello\nlogin: me\nwelcome  2.0 ms\n"


def test_what_comes_by_itself_has_no_time():
    times = Times(reply_times=True)
    times.shell.say(b"hello\n")
    assert times.shell.printed == "hello\n"


def test_a_password_is_not_timed():
    times = Times(reply_times=True)
    times.send("hunter2", 0.001, is_secret=True)
    times.shell.say(b"welcome\n")
    assert times.shell.printed.endswith("\nwelcome\n")


def test_in_character_mode_there_is_neither_a_time_nor_a_stamp():
    times = Times(reply_times=True, stamps=True)
    times.shell.say(WILL + ECHO + WILL + SGA)
    times.shell.session._note_sent(Outgoing(b"x"))
    times.shell.say(b"x\r\n")
    assert times.shell.printed == "x\n"


def test_the_next_connection_begins_without_a_time():
    times = Times(reply_times=True)
    times.send("hello")
    times.shell.session.close()
    times.shell.session.open(times.shell.session.codec)
    times.shell.take_printed()
    times.shell.say(b"banner\n")
    assert times.shell.printed == "banner\n"


def test_stamps_are_on_what_was_sent_and_on_each_line_that_came():
    times = Times(stamps=True)
    times.shell.say(b"one\ntwo\nlogin: ")
    times.shell.session.settle()
    times.send("me")
    times.shell.say(b"rest")
    times.shell.session.settle()
    assert times.shell.prompt == "rest⏎\n> "
    times.send("more")
    times.shell.say(b"last")
    times.shell.session.close()
    assert [line.split(" ", 1) for line in times.shell.printed.splitlines()] == [
        ["12:34:56.789", text] for text in ["one", "two", "login: me", "rest⏎", "> more", "last⏎"]
    ]


def test_stamps_and_times_together():
    times = Times(stamps=True, reply_times=True)
    times.send("x", 0.001)
    times.shell.say(b"\none\ntwo\n")
    stamp = "12:34:56.789"
    assert times.shell.printed == f"{stamp} > x\n{stamp} \n{stamp} one  1.0 ms\n{stamp} two\n"


@given(st.lists(st.binary(max_size=3)), st.booleans(), st.booleans())
def test_the_lines_are_the_same_with_and_without_what_is_beside_them(lines, stamps, reply_times):
    data = b"".join(line + b"\n" for line in lines)
    plain, times = Recording(), Times(stamps=stamps, reply_times=reply_times)
    times.shell.session._note_sent(Outgoing(b"x"))
    plain.say(data)
    times.shell.say(data)
    shown = times.shell.printed.replace("12:34:56.789 ", "").replace("  0.0 ms", "")
    assert shown == plain.printed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00004, "0.0 ms"),
        (0.00042, "0.4 ms"),
        (0.0099, "9.9 ms"),
        (0.0123, "12 ms"),
        (0.9994, "999 ms"),
        (1.234, "1.23 s"),
        (100, "100.00 s"),
    ],
)
def test_a_time_has_two_or_three_digits(seconds, text):
    assert format_time(seconds) == text


def test_in_the_shell_they_are_switched_on_and_off():
    async def script(type_, peer, screen):
        for switch in ("time on", "time off", "stamps on", "stamps off"):
            type_("\x1d" + switch + ENTER)
            await screen.shows(f"echoproto> {switch}\r\n")
            type_("ask" + ENTER)
            await peer.has_received(b"ask\r\n" * (1 + screen.text.count("<")))
            await peer.say(f"<{switch}\n".encode())
            await screen.shows(f"<{switch}")

    _, shown = in_shell(script)
    # What is printed begins where the prompt was, which is erased.
    lines = [line.split("> ")[-1] for line in shown.text.splitlines() if "<" in line]
    on, off, stamped, last = lines
    assert on.startswith("<time on  ")
    assert on.endswith((" ms", " s"))
    assert off == "<time off"
    assert stamped[2:9:3] == "::."
    assert stamped.endswith(" <stamps on")
    assert last == "<stamps off"
