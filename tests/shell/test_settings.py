"""The settings of the shell: their defaults."""

from __future__ import annotations

from echoproto.shell.settings import Settings


def test_by_default_the_server_decides():
    settings = Settings()
    assert (settings.line_end, settings.mode) == (None, "auto")


def test_by_default_only_the_times_of_replies_are_shown():
    settings = Settings()
    assert (settings.wire, settings.reply_times, settings.stamps) == (False, True, False)
