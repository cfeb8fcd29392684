"""The codecs of our clients: what each answers to a server that asks."""

from __future__ import annotations

import pytest

from echoproto.wire.telnet.clients import pipe_codec, shell_codec
from telnet_bytes import AYT, DO, IAC, SB, SE, SGA, TTYPE, WILL, WONT
from telnet_rules import reply_of

ASKS = IAC + DO + SGA + IAC + DO + TTYPE + SB + TTYPE + b"\1" + SE + AYT


def test_the_shell_says_which_terminal_it_is_and_does_not_answer_ayt():
    reply = reply_of(shell_codec("auto").receive(ASKS))
    assert reply.startswith(IAC + WILL + SGA)
    assert reply.endswith(IAC + WILL + TTYPE + SB + TTYPE + b"\0dumb" + SE)


def test_the_pipe_agrees_to_what_leaves_its_bytes_alone():
    reply = reply_of(pipe_codec("auto").receive(ASKS))
    assert reply.startswith(IAC + WILL + SGA)
    assert reply.endswith(IAC + WONT + TTYPE)


@pytest.mark.parametrize("codec", [shell_codec, pipe_codec])
def test_never_is_plain(codec):
    assert codec("never").is_plain
    assert reply_of(codec("never").receive(ASKS)) == b""
