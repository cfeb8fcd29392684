"""The settings of the shell: their defaults."""

from __future__ import annotations

from echoproto.shell.settings import Settings


def test_by_default_the_server_decides():
    settings = Settings()
    assert (settings.line_end, settings.mode) == (None, "auto")
    assert not any([settings.wire, settings.reply_times, settings.stamps])
