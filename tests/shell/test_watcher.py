"""What a watcher of the session is told, in which order."""

from __future__ import annotations

from echoproto.shell.watcher import Watcher
from in_shell import Recording


class Diary(Watcher):
    def __init__(self):
        self.entries = []

    def sent(self, outgoing):
        self.entries.append(("sent", *outgoing))

    def received(self, data):
        self.entries.append(("received", data))

    def settled(self):
        self.entries.append("settled")

    def half_closed(self):
        self.entries.append("half-closed")

    def closed(self):
        self.entries.append("closed")


def test_a_watcher_is_told_everything_in_order():
    shell, diary = Recording(), Diary()
    shell.session.watchers.append(diary)
    shell.say(b"Password: ")
    shell.session.settle()
    shell.session.type_lines(["hunter2"])
    assert shell.sent() == b"hunter2\r\n"
    shell.session.close()
    assert diary.entries == [
        ("received", b"Password: "),
        "settled",
        ("sent", b"hunter2\r\n", True, b"\r\n"),
        "half-closed",
        "closed",
    ]


def test_a_watcher_that_does_nothing_is_no_harm():
    shell = Recording()
    shell.session.watchers.append(Watcher())
    shell.say(b"hello\r\n")
    shell.session.type_lines(["x"])
    assert shell.sent() == b"x\r\n"
    shell.session.close()
