"""The wire above the prompt: switched on and off, in telnet, and with what is secret left out."""

from __future__ import annotations

import re

from echoproto.shell.wire_printer import MAX_ROWS, WirePrinter
from echoproto.wire.tap import WireEvent, WireKind
from in_shell import DO, ECHO, ENTER, IAC, NAWS, WILL, WONT, Recording, in_shell


def without_times(text):
    return re.sub(r"\d\d:\d\d:\d\d\.\d\d\d ", "", text)


def test_what_is_sent_and_received_is_shown_in_the_order_in_which_it_happened():
    async def script(type_, peer, screen):
        type_("hello" + ENTER)
        await peer.has_received(b"hello\r\n")
        await peer.say(b"one\n")
        await screen.shows("one\r\n")

    _, shown = in_shell(script, wire=True)
    text = without_times(shown.text)
    places = [
        text.index(part)
        for part in [
            "* connected from 127.0.0.1:",
            "> hello\r\n",
            "> sent 7 bytes\r\n",
            r"0000  68 65 6c 6c 6f 0d 0a                              hello\r\n",
            "< received 4 bytes\r\n",
            r"one\n",
            "\none\r\n",
            "> end: we send no more (FIN)",
            "< end: the peer sends no more (FIN)",
            "* closed\r\n",
        ]
    ]
    assert places == sorted(places)


def test_bytes_that_arrive_are_timed_before_they_are_printed():
    done = []
    shell = Recording(wire=True)
    shell.session.note_arrival = lambda: done.append("timed")
    shell.session.display.print = lambda _: done.append("printed")
    printer = WirePrinter(shell.session)
    printer.begin(shell.session.codec)
    printer(WireEvent(0, WireKind.SENT, b"hello"))
    printer(WireEvent(0, WireKind.RECEIVED, b"hello"))
    assert done == ["printed", "timed", "printed"]


def test_it_is_switched_on_and_off_while_the_shell_runs():
    async def script(type_, peer, screen):
        await peer.say(b"first\n")
        await screen.shows("first\r\n")
        type_("\x1dwire on" + ENTER)
        await screen.shows("echoproto> wire on\r\n")
        await peer.say(b"second\n")
        await screen.shows("second\r\n")
        type_("\x1dwire off" + ENTER)
        await screen.shows("echoproto> wire off\r\n")
        await peer.say(b"third\n")
        await screen.shows("third\r\n")

    _, shown = in_shell(script)
    text = without_times(shown.text)
    assert re.findall(r"received \d+ bytes", text) == ["received 7 bytes"]


def test_telnet_is_in_words_from_its_first_byte_and_when_switched_on_later():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO)
        await screen.shows("IAC DO ECHO")
        type_("\x1dwire off" + ENTER)
        await screen.shows("echoproto> wire off\r\n")
        await peer.say(WONT + ECHO + b"unseen\r\n")
        await screen.shows("unseen\r\n")
        type_("\x1dwire on" + ENTER)
        await screen.shows("echoproto> wire on\r\n")
        await peer.say(DO + NAWS + IAC)
        await screen.shows("IAC …")
        await peer.say(IAC)
        await screen.shows("… IAC IAC")

    _, shown = in_shell(script, wire=True)
    for words in ("IAC WILL ECHO\r\n", "IAC DO NAWS\r\n", "IAC WILL NAWS\r\n"):
        assert shown.text.count(words) == 1
    assert "IAC WONT ECHO" not in shown.text


def test_a_password_is_not_shown_but_its_size_and_what_follows_is():
    async def script(type_, peer, screen):
        await peer.say(b"Password: ")
        await screen.shows("Password: ")
        type_("\x1dwire on" + ENTER)
        await screen.shows("echoproto> wire on\r\n")
        type_("hunter2" + ENTER)
        await peer.has_received(b"hunter2\r\n")
        await peer.say(b"welcome\n")
        await screen.shows("welcome\r\n")
        type_("next" + ENTER)
        await screen.shows(r"next\r\n")

    _, shown = in_shell(script)
    text = without_times(shown.text)
    assert "> sent 9 bytes, hidden: it may be a password\r\n" in text
    assert "> sent 6 bytes\r\n" in text
    assert "hunter2" not in text
    assert b"hunter2".hex(" ") not in text


def test_what_much_is_received_at_once_is_cut_after_some_rows():
    async def script(type_, peer, screen):
        await peer.say(b"x" * 100_000 + b"\n")
        await screen.shows(" more bytes\r\n")
        type_("\x1dwire off" + ENTER)

    _, shown = in_shell(script, wire=True)
    received = shown.text.count("< received ")
    rows = re.findall(r"^  [0-9a-f]{4,}  78", shown.text, re.MULTILINE)
    assert MAX_ROWS <= len(rows) <= received * MAX_ROWS


def test_rows_are_as_wide_as_the_terminal():
    async def script(type_, peer, screen):
        screen.size = screen.size._replace(columns=60)
        type_("x")  # draws the prompt again
        await screen.shows("> x")
        await peer.say(b"12345678")
        await screen.shows("0000  31 32 33 34 35 36 37 38  12345678")
        type_("\x15")

    in_shell(script, wire=True)
