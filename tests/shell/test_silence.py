"""The hint for a line that gets no answer: when it comes, and when it does not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from echoproto.client.target import Target
from echoproto.shell import silence
from echoproto.shell.outbox import Outgoing
from echoproto.shell.silence import DELAY, SilenceHint
from in_shell import DO, ECHO, ENTER, NAWS, SGA, WILL, Recording, in_shell

HINT = "No answer yet to the line, which ended with CR LF. To try LF: Ctrl-] eol lf\n"


class Watched:
    """A session with the hint, and an event loop whose time only a test moves."""

    def __init__(self, monkeypatch, **settings):
        self.timers = []
        loop = SimpleNamespace(call_later=self._call_later)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
        self.shell = Recording(**settings)
        self.shell.session.watchers.append(SilenceHint(self.shell.session))

    def _call_later(self, delay, call, *args):
        timer = SimpleNamespace(run=lambda: call(*args), delay=delay)
        timer.cancel = lambda: self.timers.remove(timer)
        self.timers.append(timer)
        return timer

    def send(self, line=b"hello", end=b"\r\n", *, is_secret=False):
        self.shell.session._note_sent(Outgoing(line + end, is_secret, end))

    def wait(self):
        """Let a second pass. What is printed."""
        assert all(timer.delay == DELAY for timer in self.timers)
        timers, self.timers = self.timers, []
        for timer in timers:
            timer.cancel = lambda: None
            timer.run()
        return self.shell.take_printed()


def test_a_line_without_an_answer_gets_a_hint_once(monkeypatch):
    watched = Watched(monkeypatch)
    watched.send()
    assert watched.wait() == HINT
    watched.send()
    assert watched.wait() == ""


def test_each_line_end_that_is_tried_gets_a_hint_and_the_next_connection_too(monkeypatch):
    watched = Watched(monkeypatch)
    watched.send(end=b"\n")
    assert "which ended with LF. To try CR LF: Ctrl-] eol crlf\n" in watched.wait()
    watched.send(end=b"\r\0")
    assert "which ended with CR NUL. To try CR LF: Ctrl-] eol crlf\n" in watched.wait()
    watched.send()
    assert watched.wait() == HINT
    for watcher in watched.shell.session.watchers:
        watcher.opened(Target("192.0.2.1", 23))
    watched.send()
    assert watched.wait() == HINT


def test_a_line_end_that_was_answered_once_gets_no_hint(monkeypatch):
    watched = Watched(monkeypatch)
    watched.send()
    watched.shell.say(b"o")
    assert watched.wait() == "" == watched.wait()
    watched.send()
    assert watched.wait() == ""
    watched.send(end=b"\n")
    assert watched.wait() != ""


def test_a_banner_is_no_answer(monkeypatch):
    watched = Watched(monkeypatch)
    watched.shell.say(b"220 ready\r\n")
    watched.shell.take_printed()
    watched.send()
    assert watched.wait() == HINT


def test_the_second_begins_with_the_last_line(monkeypatch):
    watched = Watched(monkeypatch)
    watched.send()
    watched.send()
    assert len(watched.timers) == 1


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing(b"hunter2\r\n", is_secret=True, line_end=b"\r\n"),
        Outgoing(b"hello", line_end=b""),
        Outgoing(b"bytes\r\n"),
    ],
    ids=["a password", "without a line end", "bytes"],
)
def test_what_gets_no_hint(monkeypatch, outgoing):
    watched = Watched(monkeypatch)
    watched.shell.session._note_sent(outgoing)
    assert watched.timers == []


def test_there_is_none_in_character_mode_and_while_a_password_is_asked_for(monkeypatch):
    watched = Watched(monkeypatch)
    watched.send()
    watched.shell.session.settings.mode = "character"
    assert watched.wait() == ""
    watched.send()
    assert watched.timers == []
    watched.shell.session.settings.mode = "auto"
    watched.send()
    watched.shell.say(WILL + ECHO)
    assert watched.wait() == ""


@pytest.mark.parametrize("happens", ["end", "close", "telnet"])
def test_the_wait_ends_with_the_connection_and_when_the_server_negotiates(monkeypatch, happens):
    watched = Watched(monkeypatch)
    watched.send()
    if happens == "end":
        watched.shell.session._note_end()
    elif happens == "close":
        watched.shell.session.close()
    else:
        watched.shell.say(DO + NAWS + WILL + SGA)
    assert watched.timers == []


def test_in_the_shell_it_does_not_disturb_what_is_being_typed(monkeypatch):
    monkeypatch.setattr(silence, "DELAY", 0.05)

    async def script(type_, peer, screen):
        type_("hello" + ENTER + "half a")
        await screen.shows("eol lf")
        type_(" line" + ENTER)
        await peer.has_received(b"half a line\r\n")
        type_("\x1deol lf" + ENTER + "x" + ENTER)
        await peer.has_received(b"x\n")
        await screen.shows("eol crlf")

    received, shown = in_shell(script)
    assert received == b"hello\r\nhalf a line\r\nx\n"
    assert shown.text.count("No answer yet") == 2
