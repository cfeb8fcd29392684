"""However a stream is cut into chunks, a telnet client gets the same echo; without sockets."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from echoproto.server.echo import EchoProtocol
from echoproto.wire.layer import DataReceived
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import TelnetStarted
from echoproto.wire.telnet.negotiation import Policy, Side
from echoproto.wire.telnet.options import SHELL_POLICY
from telnet_bytes import (
    AYT,
    BINARY,
    BRK,
    DM,
    DO,
    DONT,
    EC,
    EL,
    EOF,
    HELLO,
    IAC,
    IP,
    NAWS,
    NO_THANKS,
    NOP,
    SB,
    SE,
    SGA,
    TIMING_MARK,
    TTYPE,
    WILL,
    WONT,
)
from telnet_clients import Recorder, connected, echo
from telnet_rules import data_of, received


@pytest.mark.parametrize("log_lines", [False, True])
def test_lines_of_a_telnet_client_are_counted_as_typed(log_lines):
    chunks = [b"a\n" + HELLO + b"b\r\0c\r\n", b"d\r", b"\0", b"\r", b"\n\n"]
    protocol, _ = echo(*chunks, log_lines=log_lines)
    assert protocol.lines_received == (6 if log_lines else None)


def test_a_cr_before_binary_takes_no_lf_after_it():
    on, off = IAC + WILL + BINARY, IAC + WONT + BINARY
    _, sent = echo(HELLO + b"a\r" + on + b"x" + off + b"\nb")
    assert data_of(received(TelnetCodec(SHELL_POLICY), sent)) == b"a\r\nx\r\nb"


def test_a_cr_lf_that_is_written_in_two_parts_is_one_line_end():
    protocol, wire = connected(None, HELLO)
    for data in (b"a\r", b"\nb\r", b"c\r"):
        protocol.transport.write(data)
    protocol.transport.loseConnection()
    assert wire.value() == NO_THANKS + b"a\r\nb\r\0c\r\0"


def test_in_line_mode_the_cr_before_what_was_erased_takes_no_lf_after_it():
    _, sent = echo(HELLO + b"a\rb" + EL + b"\nc\n", mode="line")
    assert sent == NO_THANKS + b"a\r\n\r\nc\r\n"


def test_in_line_mode_a_line_that_is_too_long_comes_back_in_pieces():
    long = b"x" * (EchoProtocol.MAX_LENGTH + 2)
    _, sent = echo(HELLO + b"a\r", long + b"\n", b"\nc\n", mode="line")
    assert sent == NO_THANKS + b"a\r\n" + long + b"\r\n\r\nc\r\n"
    _, sent = echo(HELLO + long, b"yz" + EC + b"\r\n", mode="line")
    assert sent == NO_THANKS + long + b"y\r\n"


# Few different pieces, so that they are often met and often cut.
PIECES = st.sampled_from(
    [
        *(b"a", b"\r", b"\n", b"\0", b"\x03", b"\xff", b"\xff\xff", "é".encode()),
        *(NOP, DM, AYT, EC, EL, IP, BRK, EOF, SE, HELLO, IAC + DO + SGA, IAC + DONT + SGA),
        *(IAC + verb + BINARY for verb in (WILL, WONT, DO, DONT)),
        IAC + DO + TIMING_MARK,
        SB + NAWS + b"\0\xff\xff\0\1" + SE,
        SB + TTYPE + b"\0xterm" + SE,
    ]
)
STREAMS = st.lists(PIECES, max_size=12).map(b"".join)
CUTS = st.lists(st.integers(0, 40), max_size=12)


def cut(stream, cuts):
    cuts = sorted({at for at in cuts if 0 < at < len(stream)})
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]


def plain_part(stream):
    """What comes before telnet shows; None if it never does."""
    codec = TelnetCodec(Policy(), mode="auto")
    before = b""
    for event in received(codec, stream):
        if isinstance(event, TelnetStarted):
            return before
        if isinstance(event, DataReceived):
            before += event.data
    return None


def whole_lines(stream):
    end = max(stream.rfind(b"\n"), stream.rfind(b"\r")) + 1
    return stream[: end + (stream[end - 1 : end + 1] == b"\r\0")]


@settings(max_examples=500)
@given(STREAMS, CUTS, st.sampled_from(["stream", "line"]), st.booleans())
@example(b"a" + HELLO + b"b", [2], "stream", False)
@example(b"\xff" + HELLO, [1], "stream", False)
@example(HELLO + b"\r\n\r\0\n", [4, 6], "stream", True)
@example(b"a\r\n", [2], "line", False)
@example(HELLO + IAC + WILL + BINARY + b"\r\n", [7], "line", True)
def test_however_a_stream_is_cut_the_client_reads_the_same_echo(stream, cuts, mode, log_lines):
    protocol, sent = echo(*cut(stream, cuts), mode=mode, log_lines=log_lines)
    same, sent_whole = echo(stream, mode=mode, log_lines=log_lines)
    plain = plain_part(stream)
    expected = stream if plain is None else plain
    if mode == "line":
        expected = whole_lines(expected)
    if plain is None:
        assert not protocol.is_telnet
        assert sent == sent_whole == expected
    else:
        assert sent.startswith(expected)
        assert sent_whole.startswith(expected)
        # A telnet client behaves as one from its first command on.
        client, other = TelnetCodec(SHELL_POLICY), TelnetCodec(SHELL_POLICY)
        read = received(client, sent[len(expected) :])
        assert data_of(read) == data_of(received(other, sent_whole[len(expected) :]))
        assert client.pending == b""
        assert client.options(Side.REMOTE) == other.options(Side.REMOTE)
        assert protocol.transport.disconnecting == same.transport.disconnecting
    assert protocol.lines_received == same.lines_received
    assert protocol.transport.bytes_received == len(stream)


def repaired(sent):
    """Remove the NOP that completes an echoed 255."""
    return sent.replace(NOP, b"")


@given(STREAMS, CUTS)
def test_a_repair_is_all_that_a_cut_adds(stream, cuts):
    # Where a line end is not cut, the bytes are the same but for the repair.
    stream = stream.replace(b"\r", b"")
    _, sent = echo(*cut(stream, cuts))
    _, sent_whole = echo(stream)
    assert len(sent) - len(sent_whole) in (0, len(NOP))
    assert repaired(sent) == repaired(sent_whole)


@given(STREAMS, CUTS, st.sampled_from([b"\n", b"\r\n"]))
def test_however_a_stream_is_cut_the_calls_are_the_same(stream, cuts, delimiter):
    def calls(*chunks):
        protocol = Recorder()
        if delimiter == b"\r\n":
            protocol.delimiter = delimiter
        return connected(protocol, *chunks)[0].calls

    assert calls(*cut(stream, cuts)) == calls(stream)


@given(st.lists(st.binary(max_size=30), max_size=10), st.sampled_from(["auto", "always", "never"]))
def test_no_bytes_make_it_raise(chunks, telnet):
    for mode in ("stream", "line"):
        protocol, sent = echo(*chunks, mode=mode, telnet=telnet)
        stream = b"".join(chunks)
        assert protocol.transport.bytes_received == len(stream)
        if telnet == "never":
            assert sent == (stream if mode == "stream" else whole_lines(stream))


@pytest.mark.parametrize("ahead", [False, True])
def test_going_on_after_a_pause_is_not_data(ahead):
    chunks = [b"x\xff", b"\xf1y"] if ahead else [HELLO + b"x\r", b"\ny"]
    protocol, wire = connected(EchoProtocol(), chunks[0])
    wire.producer.pauseProducing()
    wire.producer.resumeProducing()
    protocol.transport.dataReceived(chunks[1])
    assert wire.value() == (b"x\xff\xf1y" if ahead else NO_THANKS + b"x\r\ny")
