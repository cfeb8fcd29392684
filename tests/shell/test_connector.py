"""The shell stays when a connection ends, and connects again when it is asked to."""

from __future__ import annotations

import asyncio

import pytest

from echoproto.client.backoff import Backoff
from echoproto.shell import connector
from in_shell import (
    CTRL_BRACKET,
    CTRL_C,
    CTRL_D,
    ECHO,
    ENTER,
    SGA,
    UP,
    WILL,
    Peer,
    in_shell,
)
from peers import until


@pytest.fixture
def waits(monkeypatch):
    """Set how long the shell waits before each attempt, in seconds; gives the limits asked for."""

    def set_waits(seconds):
        limits = []

        def uniform(_, most):
            limits.append(most)
            return seconds

        monkeypatch.setattr(connector, "Backoff", lambda: Backoff(uniform))
        return limits

    return set_waits


# It stays


@pytest.mark.parametrize("keys", [ENTER, CTRL_BRACKET + "open" + ENTER])
def test_when_the_server_closes_the_shell_stays_and_connects_again(keys):
    async def script(type_, peer, screen):
        type_("draft")
        await screen.shows("draft")
        await peer.close()
        await screen.shows("closed the connection.")
        await screen.shows("closed> draft")
        peer.connected.clear()
        type_(keys)
        await peer.connected.wait()
        await peer.say(b"hello again\r\n")
        await screen.shows("hello again")
        type_(ENTER)
        await peer.has_received(b"draft\r\n")

    assert in_shell(script)[0] == b"draft\r\n"


def test_what_was_not_sent_on_one_connection_is_not_sent_on_the_next():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_("kept" + ENTER)
        await peer.connected.wait()
        await screen.shows("> kept")
        type_(CTRL_C + "new" + ENTER)
        await peer.has_received(b"new\r\n")

    assert in_shell(script)[0] == b"new\r\n"


def test_a_connection_that_is_lost_is_said_with_its_reason():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.reset()
        await screen.shows("Connection reset by peer")
        await screen.shows("Enter connects again; Ctrl-D quits.")
        type_(ENTER)
        await peer.connected.wait()

    in_shell(script)


def test_a_server_that_closes_when_it_is_sent_plain_text_may_speak_tls():
    async def script(type_, peer, screen):
        type_("hello" + ENTER)
        await peer.has_received(b"hello")
        await peer.close()
        await screen.shows("closed the connection (before it sent anything; if it speaks TLS, ")

    in_shell(script)


def test_a_server_that_closes_before_it_was_sent_anything_gets_no_advice():
    async def script(_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed the connection.")

    in_shell(script)


@pytest.mark.parametrize("keys", [CTRL_D, CTRL_BRACKET + "quit" + ENTER])
def test_without_a_connection_ctrl_d_ends_the_shell(keys):
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_(keys if keys != CTRL_D else "")

    in_shell(script)


def test_what_was_agreed_with_one_server_does_not_hold_for_the_next():
    async def script(type_, peer, screen):
        await peer.say(WILL + ECHO + WILL + SGA + b"login: ")
        await screen.shows("login:")
        await peer.close()
        await screen.shows("closed> ")
        type_(ENTER)
        await peer.connected.wait()
        await screen.shows("Connected to ")
        type_("hello" + ENTER)
        await peer.has_received(b"hello\r\n")  # and not a key at a time, nor after `login: `
        await screen.shows("> hello")

    in_shell(script)


# The commands


def test_close_closes_and_stays():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        type_("draft" + CTRL_BRACKET + "close" + ENTER)
        await screen.shows(f"Closed the connection to 127.0.0.1:{peer.address[1]}.")
        await screen.shows("closed> draft")
        type_(CTRL_BRACKET + "close" + ENTER)
        await screen.shows("The shell is not connected.")
        type_(CTRL_C)

    in_shell(script)


@pytest.mark.parametrize("form", ["{} {}", "{}:{}", "tcp://{}:{}"])
def test_open_connects_to_another_target(form):
    async def script(type_, peer, screen):
        other = Peer()
        where = form.format(*await other.listen())
        type_(CTRL_BRACKET + f"open {where}" + ENTER)
        await screen.shows(f"The shell is connected to 127.0.0.1:{peer.address[1]}; close that")
        type_(CTRL_BRACKET + "close" + ENTER)
        await screen.shows("closed> ")
        type_(CTRL_BRACKET + f"open {where}" + ENTER)
        await other.connected.wait()
        type_("hello" + ENTER)
        await other.has_received(b"hello\r\n")
        other.refuse()

    assert in_shell(script)[0] == b""


def test_a_target_that_is_none_or_refuses_is_said():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_(CTRL_BRACKET + 'open "unix:/tmp/a b' + ENTER)
        await screen.shows('open: "unix:/tmp/a b: the quote at the end is missing')
        type_(CTRL_BRACKET + "open nowhere" + ENTER)
        await screen.shows("open: nowhere: the port is missing; give HOST PORT,")
        peer.refuse()
        type_(CTRL_BRACKET + "open" + ENTER)
        await screen.shows(f"cannot connect to 127.0.0.1:{peer.address[1]}: Connection refused")

    in_shell(script)


def test_certificates_that_cannot_be_read_end_the_attempt_and_not_the_shell(monkeypatch):
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        monkeypatch.setenv("SSL_CERT_FILE", "/nosuch")
        type_(CTRL_BRACKET + f"open tls://127.0.0.1:{peer.address[1]}" + ENTER)
        await screen.shows("SSL_CERT_FILE=/nosuch: No such file or directory")
        type_(CTRL_BRACKET + f"open tcp://127.0.0.1:{peer.address[1]}" + ENTER)
        await peer.connected.wait()
        await screen.shows("Connected to ")

    in_shell(script)


def test_without_a_connection_nothing_is_sent_and_that_is_said():
    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_(CTRL_BRACKET + "options" + ENTER + CTRL_BRACKET + "send ayt" + ENTER)
        await until(lambda: screen.text.count("The shell is not connected.") == 2)
        type_("\x1b[200~one\ntwo\nrest\x1b[201~")
        await screen.shows("2 lines were not sent, and can be recalled with Up.")
        await screen.shows("rest")
        type_(CTRL_C + UP)
        await screen.shows("two")
        type_(CTRL_C)

    assert in_shell(script)[0] == b""


# By itself


def test_it_connects_again_by_itself_and_what_is_typed_stays(waits):
    waits(0)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        type_("draft")
        await screen.shows("draft")
        await peer.close()
        await peer.connected.wait()
        await screen.shows("Connected to ")
        type_(ENTER)
        await peer.has_received(b"draft\r\n")

    assert in_shell(script, reconnect=True)[0] == b"draft\r\n"


def test_it_goes_on_until_the_server_is_there_and_says_a_failure_once(waits):
    limits = waits(0)

    async def script(type_, peer, screen):
        await screen.shows("Connection refused")
        await until(lambda: len(limits) > 3)
        type_("typed meanwhile")
        await screen.shows("closed> typed meanwhile")
        await peer.listen(peer.address)
        await peer.connected.wait()
        type_(ENTER)
        await peer.has_received(b"typed meanwhile\r\n")

    _, screen = in_shell(script, reconnect=True, listens=False)
    assert screen.text.count("Connection refused") == 1


def test_the_prompt_says_when_the_next_attempt_is_and_enter_makes_it_now(waits):
    waits(1000)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        type_("draft")
        await peer.close()
        await screen.shows("Connecting again in 1000 s; Enter connects now, Ctrl-C stops.")
        await screen.shows("closed> draft")
        type_(ENTER)
        await peer.connected.wait()
        await screen.shows("Connected to ")
        await screen.shows("> draft")
        type_(CTRL_C)

    assert in_shell(script, reconnect=True)[0] == b""


def test_ctrl_c_stops_it_and_keeps_what_is_typed(waits):
    waits(1000)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        type_("draft")
        await peer.close()
        await screen.shows("Connecting again in 1000 s")
        type_(CTRL_C)
        await screen.shows("Stopped.")
        await screen.shows("Enter connects again; Ctrl-D quits.")
        type_(ENTER)
        await peer.connected.wait()
        type_(ENTER)
        await peer.has_received(b"draft\r\n")

    in_shell(script, reconnect=True)


def test_after_close_it_does_not_connect_by_itself(waits):
    waits(0)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        peer.connected.clear()
        type_(CTRL_BRACKET + "close" + ENTER)
        await screen.shows("Enter connects again; Ctrl-D quits.")
        assert not peer.connected.is_set()

    in_shell(script, reconnect=True)


@pytest.mark.parametrize(("stable", "asked"), [(0, [0.5, 0.5]), (1000, [0.5, 1.0])])
def test_the_waits_grow_unless_the_connection_was_stable(stable, asked, monkeypatch, waits):
    limits = waits(0)
    monkeypatch.setattr(connector, "STABLE", stable)

    async def script(_, peer, __):
        for _ in range(2):
            await peer.connected.wait()
            await asyncio.sleep(0)
            await peer.close()
        await peer.connected.wait()

    in_shell(script, reconnect=True)
    assert limits == asked


def test_after_close_the_waits_begin_anew(monkeypatch, waits):
    limits = waits(0)
    monkeypatch.setattr(connector, "STABLE", 1000)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await peer.connected.wait()
        peer.connected.clear()
        type_(CTRL_BRACKET + "close" + ENTER)
        await screen.shows("Enter connects again; Ctrl-D quits.")
        type_(ENTER)
        await peer.connected.wait()
        await peer.close()
        await peer.connected.wait()

    in_shell(script, reconnect=True)
    assert limits == [0.5, 0.5]


# While it connects


def test_an_attempt_that_takes_long_is_shown_and_can_be_stopped_or_replaced(monkeypatch):
    monkeypatch.setattr("echoproto.client.notice.DELAY", 0)

    async def script(type_, peer, screen):
        await peer.connected.wait()
        await peer.close()
        await screen.shows("closed> ")
        type_("draft" + CTRL_BRACKET + "open 192.0.2.1:9" + ENTER)
        await screen.shows("Connecting to 192.0.2.1:9 ...")
        type_(ENTER + CTRL_C)
        await screen.shows("Stopped.")
        type_(CTRL_BRACKET + "open 192.0.2.1:10" + ENTER)
        await screen.shows("Connecting to 192.0.2.1:10 ...")
        type_(CTRL_BRACKET + f"open 127.0.0.1:{peer.address[1]}" + ENTER)
        await peer.connected.wait()
        await screen.shows("> draft")
        type_(ENTER)
        await peer.has_received(b"draft\r\n")

    async def never(*_):
        await asyncio.Event().wait()

    connect = asyncio.SelectorEventLoop.sock_connect

    async def sock_connect(loop, sock, address):
        await (never() if address[0] == "192.0.2.1" else connect(loop, sock, address))

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
    _, screen = in_shell(script)
    # When the server closed, and when the user stopped it: not when another target took its place.
    assert screen.text.count("Enter connects again") == 2
