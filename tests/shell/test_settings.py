"""The settings of the shell: their defaults, and the line ends that have names."""

from __future__ import annotations

from echoproto.shell.settings import LINE_ENDS, Settings


def test_by_default_the_server_decides():
    settings = Settings()
    assert (settings.line_end, settings.mode) == (None, "auto")
    assert not any([settings.wire, settings.reply_times, settings.stamps])


def test_each_line_end_is_its_bytes():
    assert LINE_ENDS == {
        "crlf": b"\r\n",
        "lf": b"\n",
        "cr": b"\r",
        "crnul": b"\r\0",
        "nul": b"\0",
        "none": b"",
    }
