"""What is shown while connecting takes time."""

from __future__ import annotations

import asyncio
import io

import pytest

from echoproto.client import notice
from echoproto.client.notice import Notice, show_on
from echoproto.client.target import Target


@pytest.fixture
def shown(monkeypatch):
    """All texts that a notice has shown; the moment after which it does is short."""
    monkeypatch.setattr(notice, "DELAY", 0)
    return []


def tell(target, shown, *attempts, **kwargs):
    """Let each attempt last until after the notice is shown."""

    async def main():
        with Notice(Target.parse(target), shown.append, **kwargs) as told:
            for attempt in attempts:
                told.attempt(*attempt)
                await asyncio.sleep(0.01)

    asyncio.run(main())


def test_it_says_which_address_of_how_many_and_nothing_at_the_end(shown):
    tell("localhost:2020", shown, ("::1", 1, 2), ("127.0.0.1", 2, 2))
    assert shown == [
        "Connecting to localhost:2020 ... (address 1 of 2, ::1)",
        "Connecting to localhost:2020 ... (address 2 of 2, 127.0.0.1)",
        "",
    ]


def test_one_address_is_said_only_if_the_name_is_another(shown):
    tell("127.0.0.1:2020", shown, ("127.0.0.1", 1, 1))
    tell("localhost:2020", shown, ("127.0.0.1", 1, 1))
    assert shown == [
        "Connecting to 127.0.0.1:2020 ...",
        "",
        "Connecting to localhost:2020 ... (127.0.0.1)",
        "",
    ]


def test_waiting_is_said_to_be_waiting(shown):
    tell("unix:/run/x", shown, ("", 1, 1), is_waiting=True)
    assert shown[0].startswith("Waiting for /run/x ...")


def test_what_takes_a_moment_only_is_not_told(monkeypatch):
    monkeypatch.setattr(notice, "DELAY", 1000)
    shown = []
    tell("localhost:2020", shown, ("127.0.0.1", 1, 1))
    assert shown == []


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_it_is_one_line_that_is_erased(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    show = show_on(terminal)
    show("x" * 100)
    show("")
    assert terminal.getvalue() == f"\r\x1b[K{'x' * 19}\r\x1b[K"


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO, "xterm"), (Terminal, "dumb")])
def test_where_nothing_can_be_erased_nothing_is_shown(stream, term, monkeypatch):
    monkeypatch.setenv("TERM", term)
    output = stream()
    show_on(output)("Connecting")
    assert output.getvalue() == ""
