"""What telnet clients send, and what comes back to them; on real sockets."""

from __future__ import annotations

import socket

import pytest

from support import connect, receive_all, receive_exactly
from telnet_bytes import (
    ABORT,
    AYT,
    BINARY,
    BRK,
    DM,
    DO,
    EC,
    EL,
    EOF,
    HELLO,
    IAC,
    IP,
    NAWS,
    NO_THANKS,
    NOP,
    PUTTY,
    SB,
    SE,
    TIMING_MARK,
    TO_PUTTY,
    TTYPE,
    WILL,
)
from telnet_clients import dialled, exchange, in_two

MEBIBYTE = 1 << 20
YES_I_AM = b"\r\n[yes, the echo server is here]\r\n"


def test_putty_s_greeting_is_answered_byte_for_byte(client):
    client.say(PUTTY)
    client.hears_nothing_but(TO_PUTTY)
    client.say(SB + NAWS + b"\0\x50\0\x18" + SE + SB + TTYPE + b"\0XTERM" + SE + b"hello\r\n")
    client.hears_nothing_but(b"hello\r\n")
    assert client.ends() == b""


def test_a_greeting_may_be_cut_anywhere(server):
    for first, second in in_two(PUTTY):
        with dialled(server) as client:
            client.say(first)
            client.was_read()
            client.say(second + b"x")
            repair = b"\xff\xf1" if first == b"\xff" else b""
            assert client.ends() == repair + TO_PUTTY + b"x"


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\n"])
def test_enter_comes_back_as_cr_lf_once(telnet, enter):
    telnet.say(b"hi" + enter)
    telnet.hears_nothing_but(b"hi\r\n")
    telnet.say(enter + b"hi" + enter + enter)
    telnet.hears_nothing_but(b"\r\nhi\r\n\r\n")


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\n"])
def test_enter_may_be_cut_anywhere(telnet, enter):
    for first, second in in_two(b"hi" + enter + b"x"):
        telnet.say(first)
        echo = first.replace(b"\r\0", b"\r").replace(b"\r\n", b"\r")
        echo = echo.replace(b"\n", b"\r").replace(b"\r", b"\r\n")
        telnet.hears(echo)
        telnet.say(second)
        telnet.hears_nothing_but(b"hi\r\nx"[len(echo) :])


def test_a_255_that_is_typed_comes_back_doubled(telnet):
    telnet.say(b"a" + IAC * 2 + b"b" + IAC * 4)
    telnet.hears_nothing_but(b"a" + IAC * 2 + b"b" + IAC * 4)
    telnet.say(IAC)
    telnet.was_read()
    telnet.say(IAC + b"c")
    telnet.hears_nothing_but(IAC * 2 + b"c")


def test_timing_mark_is_answered_in_its_place(telnet):
    # What inetutils' telnet sends for Ctrl-C.
    telnet.say(b"before\r\n" + IP + IAC + DO + TIMING_MARK + b"after\r\n")
    telnet.hears_nothing_but(b"before\r\n" + IAC + WILL + TIMING_MARK + b"after\r\n")


def test_ayt_is_answered_with_what_a_person_can_read(telnet):
    telnet.say(b"a" + AYT + b"b")
    telnet.hears_nothing_but(b"a" + YES_I_AM + b"b")


@pytest.mark.parametrize("key", [b"\x03", b"\x15", b"\x1a", b"\x1c"])
def test_the_key_that_putty_sends_after_el_is_no_data(telnet, key):
    telnet.say(b"abc" + EL + key + b"def\r\n" + key + b"\r\n")
    telnet.hears_nothing_but(b"abcdef\r\n" + key + b"\r\n")
    telnet.say(EL)
    telnet.was_read()
    telnet.say(key)
    telnet.was_read()
    telnet.say(key)
    telnet.hears_nothing_but(key)


@pytest.mark.parametrize("command", [EC, IP, NOP])
def test_after_another_command_than_el_a_control_key_is_data(telnet, command):
    telnet.say(b"abc" + command + b"\x03\r\n")
    telnet.hears_nothing_but(b"abc\x03\r\n")


def test_eof_ends_the_connection_when_all_was_echoed(server):
    with dialled(server, telnet=True) as client:
        client.say(b"hello\r\nhalf" + EOF + b"after\r\n" + AYT)
        assert receive_all(client.sock) == b"hello\r\nhalf"


def test_eof_waits_for_a_client_that_is_slow_to_read(server):
    message = b"x" * (8 * MEBIBYTE)
    with dialled(server, telnet=True) as client:
        got = exchange(client.sock, message + EOF)
    assert len(got) == len(message)


def test_half_close_ends_a_telnet_connection_when_all_was_echoed(telnet):
    telnet.say(b"hello\r\nhalf" + IAC)
    assert telnet.ends() == b"hello\r\nhalf"


def test_with_binary_both_ways_every_byte_comes_back_exactly(telnet):
    telnet.say(IAC + WILL + BINARY + IAC + DO + BINARY)
    telnet.hears(IAC + DO + BINARY + IAC + WILL + BINARY)
    everything = bytes(range(256)).replace(IAC, IAC * 2) + b"\r\n\r\0\r\r\n\n" + IAC * 2
    telnet.say(everything * 100)
    telnet.hears(everything * 100)
    for byte in [b"\r", b"\n", b"\r", b"\0", b"\r", b"x", IAC * 2]:
        telnet.say(byte)
        telnet.hears(byte)
    assert telnet.ends() == b""


@pytest.mark.parametrize("urgent", ["inetutils", "PuTTY"])
def test_nothing_is_lost_around_a_synch(server, urgent):
    # The urgent byte is IAC for one, DM for the other.
    for _ in range(20):
        with dialled(server, telnet=True) as client:
            client.say(b"before" + IP)
            if urgent == "inetutils":
                client.sock.send(IAC, socket.MSG_OOB)
                client.say(DM[1:])
            else:
                client.say(IAC)
                client.sock.send(DM[1:], socket.MSG_OOB)
            client.say(b"after\r\n")
            assert client.ends() == b"beforeafter\r\n"


@pytest.mark.parametrize("urgent", ["inetutils", "PuTTY"])
def test_a_synch_may_be_the_first_thing_after_the_greeting(server, urgent):
    with connect(server.port) as sock:
        sock.sendall(HELLO)
        if urgent == "inetutils":
            sock.send(IAC, socket.MSG_OOB)
            sock.sendall(DM[1:] + b"x")
        else:
            sock.sendall(IAC)
            sock.send(DM[1:], socket.MSG_OOB)
            sock.sendall(b"x")
        assert receive_exactly(sock, 4) == NO_THANKS + b"x"


def test_in_line_mode_ec_and_el_take_back_what_was_not_echoed_yet(serve):
    with serve("--mode", "line") as server:
        with dialled(server, telnet=True) as client:
            client.say(b"one\r\ntwx" + EC + "ö€".encode() + EC + EC + b"o\r\n")
            client.hears(b"one\r\ntwo\r\n")
            client.say(b"three" + EL + b"four\r\n" + EC + EC + EL + b"five\n")
            client.hears(b"four\r\nfive\r\n")
            for command in (EL, IP, BRK, ABORT):
                client.say(b"gone" + command + b"here\r\0")
                client.hears(b"here\r\n")
            client.say(b"gone")
            client.was_read()
            client.say(EL[:1])
            client.was_read()
            client.say(EL[1:])
            client.was_read()
            client.say(b"here\r\n")
            client.hears(b"here\r\n")
            assert client.ends() == b""
        assert "Traceback" not in server.stop()


def test_in_line_mode_what_was_erased_does_not_come_back_at_the_end(serve):
    with serve("--mode", "line") as server, dialled(server, telnet=True) as client:
        client.say(b"no end" + EC)
        assert client.ends() == b"no en"


def test_the_log_has_the_lines_as_they_were_typed_and_who_speaks_telnet(serve):
    with serve("--log-lines") as server:
        with dialled(server) as client:
            client.say(b"plain\r\n" + PUTTY + b"he" + NOP + b"l" + AYT + b"lo\r")
            client.was_read()
            client.say(b"\0" + SB + NAWS + b"\0\x0a\0\x0a" + SE + b"\xff\xffx\r\n")
            client.say(b"gone" + EL + b"\x03wrong" + EC * 5 + b"right\r\n")
            client.ends()
        server.log.wait_for("disconnected", 2)
        log = server.stop()
    said = [line.partition("#info] ")[2] for line in log.splitlines() if "[1]" in line]
    assert said[1:-1] == [
        "[1] b'plain'",
        "[1] speaks telnet",
        "[1] b'hello'",
        r"[1] b'\xffx'",
        "[1] b'right'",
    ]
    assert "disconnected: 4 lines" in said[-1]
    assert "[2] speaks telnet" not in log
    assert "Traceback" not in log
