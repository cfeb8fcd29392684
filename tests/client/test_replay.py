"""The replay of a session on a connection: real sockets, and servers that differ."""

from __future__ import annotations

import socket
import threading

import pytest

from echoproto.client.replay import MAX_SHOWN, _Replay, replay
from echoproto.client.target import Target
from echoproto.wire.session_file import parse
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import SHELL_POLICY
from peers import RESET_AT_CLOSE, peer, talk
from support import DEADLINE, receive_all, receive_exactly


def replayed(text, serve, *, timeout=DEADLINE, telnet=None, **values):
    """What the replay on a peer that `serve` makes finds, as the lines that are printed."""
    session = parse(f"# echoproto session 1\n{text}".encode(), "a.session")
    values = {name: value.encode() for name, value in values.items()}
    with peer(serve) as (host, port):
        found = talk(
            Target(host, port),
            lambda connection: replay(connection, session, values, timeout),
            telnet=telnet,
        )
    return str(found).splitlines() if found else None


def answers(*pairs):
    """A server that receives and sends what `pairs` say, and then waits for the end."""

    def serve(sock):
        for received, sent in pairs:
            assert receive_exactly(sock, len(received)) == received
            sock.sendall(sent)
        receive_all(sock)

    return serve


GREETED = ((b"", b"220 hi\r\n"), (b"EHLO me\r\n", b"250-a\r\n250 id=7\r\n"))
MAIL = answers(*GREETED)


def test_a_session_that_is_as_recorded_has_no_difference():
    text = "< 220 hi\n> EHLO me\n<*\n<~ 250 id=(?P<id>.*)\n> GET ${id}\n< ok\\"
    assert replayed(text, answers(*GREETED, (b"GET 7\r\n", b"ok"))) is None


def test_the_first_difference_is_shown_with_its_line_and_all_of_what_came():
    assert replayed("< 220 hi\n> EHLO me\n< 250-b\n< 250-c", MAIL) == [
        "a.session:4: it differs",
        "  -< 250-b",
        "  +< 250-a",
    ]
    assert replayed("< 220 hi\n> EHLO me\n<~ 250 .*", MAIL) == [
        "a.session:4: it differs",
        "  -<~ 250 .*",
        "  +< 250-a",
    ]


def test_the_rest_of_a_line_that_differs_is_waited_for(monkeypatch):
    differs, settle = threading.Event(), _Replay._settle

    async def wait_for_more(self):
        differs.set()
        await settle(self)

    monkeypatch.setattr("echoproto.client.replay.SETTLE", DEADLINE)
    monkeypatch.setattr(_Replay, "_settle", wait_for_more)

    def serve(sock):
        sock.sendall(b"x")
        assert differs.wait(DEADLINE)
        sock.sendall(b"yz\r\n")
        receive_all(sock)

    assert replayed("< abc", serve)[1:] == ["  -< abc", "  +< xyz"]


def test_nothing_that_is_shown_can_act_on_the_terminal():
    serve = answers((b"", b"\x1b[2J\xff\xe2\x80\xae\n"))
    assert replayed("< \u202ehello", serve) == [
        "a.session:2: it differs",
        r"  -< \xe2\x80\xaehello",
        r"  +< \e[2J\xff\xe2\x80\xae\n" + "\\",
    ]


def test_a_line_that_does_not_come_in_time_is_a_difference():
    serve = answers((b"", b"hi\r\nlog"))
    assert replayed("< hi\ntimeout 0.01\n< login: \\", serve) == [
        "a.session:4: it did not come in 0.01 seconds",
        "  -< login: \\",
        "  +< log\\",
    ]
    assert replayed("< hi\n< log\\\n<*\ntimeout 0.01\n< x", serve) == [
        "a.session:6: it did not come in 0.01 seconds",
        "  -< x",
    ]


def test_the_end_of_the_connection_is_compared():
    def close(sock):
        receive_exactly(sock, 3)

    assert replayed("> a\n<! close", close) is None
    assert replayed("> a\n< b", close) == [
        "a.session:3: the server closed the connection",
        "  -< b",
        "  +<! close",
    ]
    assert replayed("> a\n<! close", answers((b"a\r\n", b"x\r\n")))[1:] == [
        "  -<! close",
        "  +< x",
    ]


def test_a_reset_is_said():
    def reset(sock):
        receive_exactly(sock, 3)
        sock.setsockopt(*RESET_AT_CLOSE)

    first, *rest = replayed("> a\n< b", reset)
    assert first.startswith("a.session:3: 127.0.0.1:")
    assert "Connection reset by peer" in first
    assert rest == ["  -< b", "  +<! close"]


def test_our_side_ends_when_the_file_says_so():
    def serve(sock):
        sock.sendall(receive_all(sock))

    assert replayed("> a\n>! half-close\n< a\n<! close", serve) is None


def test_both_sides_can_send_much_at_the_same_time():
    line = "x" * 1000

    def echo(sock):
        while data := sock.recv(65536):
            sock.sendall(data)

    text = "\n".join(f"> {line}" for _ in range(8000)) + "\n>! half-close\n"
    text += "\n".join(f"< {line}" for _ in range(8000)) + "\n<! close"
    assert replayed(text, echo) is None


def test_a_server_that_takes_no_data_is_a_difference():
    def idle(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        until_end.wait(DEADLINE)

    until_end = threading.Event()
    text = f"> {'x' * (1 << 25)}\n< ok"
    session = parse(f"# echoproto session 1\n{text}".encode(), "a.session")
    with peer(idle) as (host, port):
        found = talk(Target(host, port), lambda c: replay(c, session, {}, 0.05))
        until_end.set()
    assert str(found).startswith("a.session:2: the server took no data for 0.05 seconds\n  -> xx")


def test_what_the_user_gives_is_not_shown_and_what_was_found_is():
    serve = answers((b"", b"id 7\r\n"), (b"hunter2\r\n", b"hunter2 7?\r\n"))
    assert replayed("<~ id (?P<id>.*)\n> ${pw}\n< ${pw} ${id}", serve, pw="hunter2") == [
        "a.session:4: it differs",
        "  -< ${pw} ${id}",
        "  +< ${pw} 7?",
        "  ${id} is 7",
    ]


def test_a_long_line_is_shown_around_its_difference():
    came = b"a" * 1000 + b"b" + b"c" * 1000 + b"\r\n"
    _, expected, got = replayed(f"< {'a' * 1001}{'c' * 1000}", answers((b"", came)))
    assert expected == f"  -...{'a' * 21}{'c' * (MAX_SHOWN - 21)}..."
    assert got == f"  +...{'a' * 20}b{'c' * (MAX_SHOWN - 21)}..."


def test_telnet_commands_are_sent_and_options_are_negotiated():
    def serve(sock):
        sock.sendall(b"\xff\xfb\x01login: ")  # WILL ECHO
        assert receive_exactly(sock, 5) == b"\xff\xfd\x01\xff\xf6"  # DO ECHO, AYT
        sock.sendall(b"yes\r\n")
        receive_all(sock)

    codec = TelnetCodec(SHELL_POLICY, mode="auto", ayt=b"")
    assert replayed("< login: \\\n>! AYT\n< yes", serve, telnet=codec) is None


def test_a_telnet_command_needs_telnet():
    assert replayed(">! AYT", answers()) == [
        "a.session:2: this connection is not telnet; give --telnet always",
        "  ->! AYT",
    ]


@pytest.mark.parametrize("line", ["> a", "< a"])
def test_a_difference_at_a_line_says_what_came_before_the_close(line):
    def refuse(sock):
        sock.sendall(b"421 too busy\r\n")

    found = replayed(f"<~ \\d+ .*\n{line}\n< b", refuse)
    assert found[-1] == "  +<! close"
