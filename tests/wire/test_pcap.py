"""Capture files: read back by a parser of our own, and by tshark."""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.pcap import (
    FILE_HEADER,
    MADE_UP_PORT,
    MAX_SEGMENT,
    MAX_UNACKNOWLEDGED,
    PcapEncoder,
)
from echoproto.wire.tap import WireEvent, WireKind
from support import program, run

TIME = 1_800_000_000.25
CLIENT, SERVER = ("127.0.0.1", 40000), ("127.0.0.1", 2020)
CLIENT6, SERVER6 = ("fe80::1%eth0", 40000), ("fe80::2%eth0", 2020)
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


def event(kind, data=b"", time=TIME, **fields):
    return WireEvent(time, WireKind[kind], data, **fields)


CONNECTED = event("CONNECTED", local=CLIENT, remote=SERVER)
CONNECTED6 = event("CONNECTED", local=CLIENT6, remote=SERVER6)
ENDS = [event("SENT_EOF"), event("RECEIVED_EOF"), event("CLOSED")]


def capture(*events):
    encoder = PcapEncoder()
    return FILE_HEADER + b"".join(map(encoder.packets, events))


# A parser, which knows the formats from their documents alone


class Segment(NamedTuple):
    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledgment: int
    flags: int
    options: bytes
    data: bytes


def carried_sum(data):
    """The sum of RFC 1071, word by word, as the RFC describes it."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def parse(file):
    """The segments of a capture file, each of which is valid."""
    magic, major, minor, _, _, limit, link = struct.unpack_from("<IHHiIII", file)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    offset, segments = 24, []
    while offset < len(file):
        seconds, microseconds, size, original = struct.unpack_from("<IIII", file, offset)
        assert size == original <= limit
        packet = file[offset + 16 : offset + 16 + size]
        assert len(packet) == size
        segments.append(parse_packet(seconds + microseconds / 1e6, packet))
        offset += 16 + size
    return segments


def parse_packet(time, packet):
    if packet[0] >> 4 == 4:
        header, protocol = packet[:20], packet[9]
        assert int.from_bytes(packet[2:4]) == len(packet)
        assert carried_sum(header) == 0xFFFF
        addresses = header[12:]
    else:
        header, protocol = packet[:40], packet[6]
        assert packet[0] >> 4 == 6
        assert int.from_bytes(packet[4:6]) == len(packet) - 40
        addresses = header[8:]
    segment = packet[len(header) :]
    assert protocol == 6
    assert carried_sum(addresses + struct.pack("!II", 6, len(segment)) + segment) == 0xFFFF
    ports_and_numbers = struct.unpack_from("!HHIIBBH", segment)
    source_port, target_port, sequence, acknowledgment, words, flags, window = ports_and_numbers
    assert window == 0xFFFF
    half = len(addresses) // 2
    source, target = (str(ipaddress.ip_address(a)) for a in (addresses[:half], addresses[half:]))
    return Segment(
        time,
        (source, source_port),
        (target, target_port),
        sequence,
        acknowledgment,
        flags,
        segment[20 : words >> 4 << 2],
        segment[words >> 4 << 2 :],
    )


def streams(segments, local=CLIENT):
    """What each side sent, local first, checked as a strict TCP would."""
    sent = {True: b"", False: b""}
    next_numbers: dict[bool, int] = {}
    for segment in segments:
        is_local = segment.source == local
        expected = next_numbers.setdefault(is_local, segment.sequence)
        assert segment.sequence == expected
        if segment.flags & ACK and (not is_local) in next_numbers:
            assert segment.acknowledgment == next_numbers[not is_local]
        assert len(segment.data) <= MAX_SEGMENT
        sent[is_local] += segment.data
        length = len(segment.data) + bool(segment.flags & (SYN | FIN))
        next_numbers[is_local] = (expected + length) % 2**32
    return sent[True], sent[False]


# The segments


@pytest.mark.parametrize("connected", [CONNECTED, CONNECTED6], ids=["IPv4", "IPv6"])
def test_a_connection_has_a_start_data_and_two_ends(connected):
    segments = parse(capture(connected, event("SENT", b"hi"), event("RECEIVED", b"ho"), *ENDS))
    ways = [segment.source[1] for segment in segments]
    assert ways == [40000, 2020, 40000, 40000, 2020, 40000, 2020, 2020, 40000]
    assert [segment.flags & (FIN | SYN | RST) for segment in segments] == [
        *[SYN, SYN, 0, 0, 0, FIN, 0, FIN, 0]
    ]
    hosts = {segment.source[0] for segment in segments}
    assert hosts == {ad[0].partition("%")[0] for ad in (connected.local, connected.remote)}


def test_times_are_kept_to_the_microsecond():
    (*_, segment) = parse(capture(CONNECTED, event("SENT", b"x", TIME + 0.123457)))
    assert round(segment.time - TIME, 6) == 0.123457


def test_a_connection_that_is_closed_first_by_us_or_lost_ends_accordingly():
    *_, fin, _ = parse(capture(CONNECTED, event("CLOSED")))
    assert (fin.source, fin.flags & FIN) == (CLIENT, FIN)
    lost = [event("LOST", text="reset"), event("RECEIVED", b"late"), event("CLOSED")]
    *_, late, rst = parse(capture(CONNECTED, *lost))
    assert late.data == b"late"
    assert (rst.source, rst.flags & RST) == (SERVER, RST)
    assert not parse(capture(CONNECTED, *ENDS[:2], event("LOST"), event("CLOSED")))[-1].flags & RST


def test_much_data_goes_in_segments_and_is_acknowledged_on_the_way():
    data = bytes(3 * MAX_UNACKNOWLEDGED)
    segments = parse(capture(CONNECTED, event("RECEIVED", data)))
    assert streams(segments) == (b"", data)
    for syn in segments[:2]:  # the largest segment, and a window of 65,535 << 14
        assert syn.options == b"\x02\x04" + MAX_SEGMENT.to_bytes(2) + b"\x01\x03\x03\x0e"
    acknowledged = [segment for segment in segments[3:] if not segment.data]
    assert [segment.source for segment in acknowledged] == [CLIENT] * 3


def test_sequence_numbers_begin_again_after_4_gib():
    encoder = PcapEncoder()
    file = FILE_HEADER + encoder.packets(CONNECTED)
    start = 2**32 - 3
    for side in (encoder._connection._local, encoder._connection._remote):
        side.sent = side.acknowledged = start
    data = [event("SENT", b"hello"), event("RECEIVED", b"world!"), event("SENT", b"x")]
    segments = parse(file + b"".join(map(encoder.packets, data)))[3:]
    assert streams(segments) == (b"hellox", b"world!")
    assert [segment.sequence for segment in segments] == [start, start, 2]


def test_a_unix_socket_has_loopback_addresses_and_each_connection_its_own():
    connected = event("CONNECTED", remote="/run/x")
    segments = parse(capture(connected, event("CLOSED"), connected, event("SENT", b"x")))
    ends = {segment.source for segment in segments}
    assert ends == {("127.0.0.1", MADE_UP_PORT + more) for more in range(3)}
    assert parse(capture(event("SENT", b"x")))[-1].data == b"x"


KINDS = st.sampled_from([kind for kind in WireKind if kind is not WireKind.CONNECTED])


@given(
    st.lists(st.tuples(KINDS, st.binary(max_size=50), st.integers(1, 3000))),
    st.sampled_from([CONNECTED, CONNECTED6]),
)
def test_each_side_s_bytes_are_those_that_the_tap_reported(reported, connected):
    sent, received = b"", b""
    events, ended = [], set()
    for kind, data, times in reported:
        events.append(WireEvent(TIME, kind, data * times))
        if kind is WireKind.SENT and WireKind.SENT_EOF not in ended:
            sent += data * times
        elif kind is WireKind.RECEIVED and WireKind.RECEIVED_EOF not in ended:
            received += data * times
        ended.add(kind)
        if kind is WireKind.CLOSED:  # which is the last one
            break
    local = (connected.local[0].partition("%")[0], connected.local[1])
    assert streams(parse(capture(connected, *events)), local) == (sent, received)


# In tshark

CHECKED = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
HTTP = [event("SENT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        event("RECEIVED", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")]  # fmt: skip


def tshark(tmp_path, file, *words):
    path = tmp_path / "file.pcap"
    path.write_bytes(file)
    done = run(program("tshark"), "-r", path, *CHECKED, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.mark.interop
@pytest.mark.parametrize("connected", [CONNECTED, CONNECTED6], ids=["IPv4", "IPv6"])
def test_tshark_follows_both_directions_and_finds_nothing_wrong(tmp_path, connected):
    sent, received = bytes(range(256)) * 10_000, bytes(range(255)) * 20_000
    half = len(received) // 2
    file = capture(
        connected,
        event("SENT", b"hello"),
        event("RECEIVED", received[:half]),
        event("SENT", sent),
        event("RECEIVED", received[half:]),
        *ENDS,
    )
    lines = tshark(tmp_path, file, "-q", "-z", "follow,tcp,raw,0").splitlines()
    data = [line for line in lines if re.fullmatch(r"\t?[0-9a-f]+", line)]
    both = ["".join(x.strip() for x in data if x.startswith("\t") is tab) for tab in (False, True)]
    assert both == [(b"hello" + sent).hex(), received.hex()]
    assert tshark(tmp_path, file, "-q", "-z", "expert,warn") == ""
    assert tshark(tmp_path, file, "-Y", "tcp.analysis.flags") == ""
    good = tshark(tmp_path, file, "-Y", "tcp.checksum.status == 1").splitlines()
    assert len(good) == len(parse(file))


@pytest.mark.interop
@pytest.mark.parametrize(
    ("port", "events", "protocol"),
    [
        (80, HTTP, "HTTP"),
        (23, [event("RECEIVED", b"\xff\xfb\x01login: "), event("SENT", b"bob\r\n")], "TELNET"),
    ],
)
def test_tshark_sees_what_is_spoken(tmp_path, port, events, protocol):
    connected = event("CONNECTED", local=CLIENT, remote=("127.0.0.1", port))
    seen = tshark(tmp_path, capture(connected, *events, *ENDS), "-Y", protocol.lower())
    assert [line.split()[5] for line in seen.splitlines()] == [protocol, protocol]
