"""What a tap reports, as a capture file that Wireshark and tshark read.

The file is a pcap file (draft-ietf-opsawg-pcap) of IP packets without a link layer. It shows what
the connection carried: on TLS, the decrypted bytes. The segments are made up, because an
application does not see the real ones:

- Each connection begins with a handshake of three segments, and both sequences begin at 0.
- Data goes in segments of at most MAX_SEGMENT bytes, in the order in which the tap reported it. The
  other side acknowledges it with its next data, or before MAX_UNACKNOWLEDGED bytes have gone.
- Each end is a FIN, which the other side acknowledges. A connection that was lost ends in a RST
  from the peer when it is closed.
- The addresses and ports are those of the socket. For a Unix socket, and for whatever has no
  address, they are loopback addresses with ports from MADE_UP_PORT on.

`tap` is below this module. The command line writes what it returns to a file.
"""

from __future__ import annotations

import struct
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from echoproto.wire.tap import WireKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echoproto.wire.tap import Address, WireEvent

    IPAddress = IPv4Address | IPv6Address

_LINKTYPE_RAW: Final = 101  # packets begin with the IP header, of either version
_MAX_PACKET: Final = 0x40000

FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _MAX_PACKET, _LINKTYPE_RAW)
"""The bytes that a capture file begins with."""

MAX_SEGMENT: Final = 65_495
"""Largest number of bytes in a segment: with both headers, it just fits into an IPv4 packet."""

MAX_UNACKNOWLEDGED: Final = 1 << 20
"""Largest number of bytes that one side sends before the other side acknowledges them."""

MADE_UP_PORT: Final = 49_152
"""The first of the dynamic ports (RFC 6335, section 6), which no service has."""

_PORTS: Final = 0x10000
_SEQUENCES: Final = 1 << 32  # sequence numbers are counted modulo this number (RFC 9293, 3.4)
_SECONDS: Final = 1 << 32  # which is in 2106
_TCP: Final = 6  # the number of the protocol
_TCP_HEADER: Final = 20  # bytes, without options
_IPV4_HEADER: Final = 20
_IPV4_ADDRESSES: Final = 8
_LOOPBACK: Final = IPv4Address("127.0.0.1")
_HOPS: Final = 64
_DONT_FRAGMENT: Final = 0x4000
_IPV6_VERSION: Final = 0x60000000
_WINDOW: Final = 0xFFFF
# The largest segment (RFC 9293, section 3.7.1), a NOP, and the window: it is scaled by 2 to the
# power of 14 (RFC 7323, section 2.2).
_SYN_OPTIONS: Final = struct.pack("!BBHBBBB", 2, 4, MAX_SEGMENT, 1, 3, 3, 14)


class _Flags(IntFlag):
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10


class PcapEncoder:
    """Turns the events of a tap, of one connection after the other, into packets of a pcap file."""

    def __init__(self) -> None:
        self._connection: _Connection | None = None
        self._made_up = 0  # number of connections whose addresses were made up

    def packets(self, event: WireEvent) -> bytes:
        """Return the packets for `event`, to append to the file. FILE_HEADER comes before all."""
        return b"".join(self._packets(event))

    def _packets(self, event: WireEvent) -> Iterator[bytes]:
        connection = self._connection
        if event.kind is WireKind.CONNECTED or connection is None:
            connection = self._connection = _Connection(*self._sides(event))
            yield from connection.open(event.time)
        yield from connection.packets(event)

    def _sides(self, event: WireEvent) -> tuple[_Side, _Side]:
        """Return the local and the remote side of a new connection."""
        local, remote = _side(event.local), _side(event.remote)
        if local and remote and local.host.version == remote.host.version:
            return local, remote
        self._made_up += 1
        port = MADE_UP_PORT + self._made_up % (_PORTS - MADE_UP_PORT)
        return _Side(_LOOPBACK, port), _Side(_LOOPBACK, MADE_UP_PORT)


class _Side:
    """One side of a connection: where it is, and how much it has sent."""

    def __init__(self, host: IPAddress, port: int) -> None:
        self.host, self.port = host, port
        self.sent = 0  # the sequence number of what it sends next, but without its limit
        self.acknowledged = 0  # how much of it the other side has acknowledged
        self.has_ended = False


def _side(address: Address) -> _Side | None:
    """Return the side at `address`, or None if that is no IP address with a port."""
    if isinstance(address, str):
        return None
    try:
        return _Side(ip_address(address[0]), address[1])
    except ValueError:
        return None


class _Connection:
    """One connection, in segments."""

    def __init__(self, local: _Side, remote: _Side) -> None:
        self._local, self._remote = local, remote
        self._is_lost = False

    def open(self, time: float) -> Iterator[bytes]:
        local, remote = self._local, self._remote
        yield _packet(time, local, remote, _Flags.SYN)
        yield _packet(time, remote, local, _Flags.SYN | _Flags.ACK)
        yield _packet(time, local, remote, _Flags.ACK)

    def packets(self, event: WireEvent) -> Iterator[bytes]:
        time, local, remote = event.time, self._local, self._remote
        match event.kind:
            case WireKind.SENT:
                yield from _data(time, local, remote, event.data)
            case WireKind.RECEIVED:
                yield from _data(time, remote, local, event.data)
            case WireKind.SENT_EOF:
                yield from _end(time, local, remote)
            case WireKind.RECEIVED_EOF:
                yield from _end(time, remote, local)
            case WireKind.LOST:
                self._is_lost = True  # data that had arrived before may follow
            case WireKind.CLOSED if self._is_lost:
                if not (local.has_ended and remote.has_ended):
                    yield _packet(time, remote, local, _Flags.RST | _Flags.ACK)
            case WireKind.CLOSED:
                yield from _end(time, local, remote)


def _data(time: float, source: _Side, target: _Side, data: bytes) -> Iterator[bytes]:
    if source.has_ended:
        return
    for start in range(0, len(data), MAX_SEGMENT):
        segment = data[start : start + MAX_SEGMENT]
        if source.sent + len(segment) - source.acknowledged > MAX_UNACKNOWLEDGED:
            yield _packet(time, target, source, _Flags.ACK)
        yield _packet(time, source, target, _Flags.PSH | _Flags.ACK, segment)


def _end(time: float, source: _Side, target: _Side) -> Iterator[bytes]:
    if not source.has_ended:
        source.has_ended = True
        yield _packet(time, source, target, _Flags.FIN | _Flags.ACK)
        yield _packet(time, target, source, _Flags.ACK)


def _packet(time: float, source: _Side, target: _Side, flags: _Flags, data: bytes = b"") -> bytes:
    """Return one segment as a packet of the file: the record's header, IP, TCP, data."""
    options = _SYN_OPTIONS if flags & _Flags.SYN else b""
    segment = bytearray(
        struct.pack(
            "!HHIIBBHHH",
            source.port,
            target.port,
            source.sent % _SEQUENCES,
            target.sent % _SEQUENCES if flags & _Flags.ACK else 0,
            (_TCP_HEADER + len(options)) // 4 << 4,
            flags,
            _WINDOW,
            0,  # the checksum
            0,  # no urgent data
        )
    )
    segment += options + data
    # RFC 9293, section 3.1: the checksum is also that of the addresses, the protocol, the length.
    addresses = source.host.packed + target.host.packed
    segment[16:18] = _checksum(addresses + struct.pack("!II", _TCP, len(segment)) + segment)
    packet = _ip_header(addresses, len(segment)) + segment

    # SYN and FIN take a number of the sequence, as a byte does (RFC 9293, section 3.4).
    source.sent += len(data) + bool(flags & (_Flags.SYN | _Flags.FIN))
    if flags & _Flags.ACK:
        target.acknowledged = target.sent
    seconds, microseconds = divmod(round(time * 1_000_000), 1_000_000)
    sizes = len(packet), len(packet)  # what is in the file, and what was on the wire
    return struct.pack("<IIII", seconds % _SECONDS, microseconds, *sizes) + packet


def _ip_header(addresses: bytes, size: int) -> bytes:
    """Return the IP header for `size` bytes between `addresses`, of the version that they have."""
    if len(addresses) > _IPV4_ADDRESSES:  # RFC 8200, section 3
        return struct.pack("!IHBB", _IPV6_VERSION, size, _TCP, _HOPS) + addresses
    # RFC 791, section 3.1
    start = struct.pack("!BBHHHBB", 0x45, 0, _IPV4_HEADER + size, 0, _DONT_FRAGMENT, _HOPS, _TCP)
    return start + _checksum(start + addresses) + addresses


def _checksum(data: bytes) -> bytes:
    """Return the checksum of RFC 1071: the complement of the sum of all words, without carries.

    That sum is the remainder by 65535 of the number that `data` is, because 65536 leaves 1.
    """
    return (-int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF).to_bytes(2)
