"""What the modes of the echo send back, without sockets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from echoproto.server.echo import EchoProtocol
from line_protocols import connected


def echo(chunks, *args, **kwargs):
    protocol = connected(EchoProtocol(*args, **kwargs))
    for chunk in chunks:
        protocol.transport.dataReceived(chunk)
    return protocol


CHUNKS = st.lists(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\0", b"\xff"]), min_size=1, max_size=6).map(
        b"".join
    )
)


@given(CHUNKS, st.booleans())
def test_in_stream_mode_every_byte_comes_back(chunks, log_lines):
    protocol = echo(chunks, log_lines=log_lines, telnet="never")
    assert protocol.transport.transport.value() == b"".join(chunks)
    assert protocol.transport.bytes_received == len(b"".join(chunks))


@given(CHUNKS, st.booleans())
def test_in_line_mode_whole_lines_come_back_with_the_ends_that_they_had(chunks, log_lines):
    protocol = echo(chunks, "line", log_lines=log_lines, telnet="never")
    stream = b"".join(chunks)
    end = max(stream.rfind(b"\n"), stream.rfind(b"\r")) + 1
    if stream[:end].endswith(b"\r") and stream[end : end + 1] == b"\0":
        end += 1
    assert protocol.transport.transport.value() == stream[:end]
    protocol.transport.readConnectionLost()
    assert protocol.transport.transport.value() == stream
    assert protocol.transport.transport.disconnecting


def test_lines_are_counted_where_they_are_looked_for():
    chunks = [b"a\nb\r", b"\nc\r\0d"]
    assert echo(chunks).lines_received is None
    assert echo(chunks, log_lines=True).lines_received == 3
    assert echo(chunks, "line", log_lines=True).lines_received == 3


def test_in_line_mode_a_line_that_is_too_long_comes_back_in_pieces_and_nothing_is_lost():
    long = b"x" * (EchoProtocol.MAX_LENGTH + 1)
    stream = [b"a\n" + long, long + b"\r", b"\nb\n", long + b"\nc\r\n" + long]
    for log_lines in (False, True):
        protocol = echo(stream, "line", log_lines=log_lines)
        protocol.transport.readConnectionLost()
        assert protocol.transport.transport.value() == b"".join(stream)
