"""`ProxyHeader`: reads and checks the PROXY header of a connection behind Twisted's `haproxy:`.

HAProxy and others send the addresses of their client in such a header, before its data. "The PROXY
protocol, versions 1 & 2" (proxy-protocol.txt of HAProxy) defines it, in sections 2.1 and 2.2.

Twisted's own reader closes a connection whose header arrives in pieces or is the short UNKNOWN. For
some malformed headers it raises an error, which puts a traceback into the log, and it takes any
text for an address. Here a header is therefore collected and checked before Twisted's reader gets
it. A connection without a valid header is reset, so that a peer that sends for ever notices it;
`ProxyHeaderError` is the reason in the log.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from weakref import proxy

from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper  # has no public name
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from echoproto.errors import ProxyHeaderError
from echoproto.server.wrappers import wrapper_of

_MAX_V1: Final = 107
"""The most bytes of a header of version 1, with its CR LF."""

_START_V1: Final = b"PROXY "
_UNKNOWN: Final = b"PROXY UNKNOWN "
_LINE_V1: Final = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})"
)
_MAX_PORT: Final = 0xFFFF

_START_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_V2: Final = 16
"""Bytes of a header of version 2 before the addresses."""
_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_ADDRESS_LENGTHS: Final = {0: 0, 1: 12, 2: 36, 3: 216}  # bytes by family: none, IPv4, IPv6, Unix
_MAX_TRANSPORT: Final = 2  # none, stream, datagram

_MAX_SHOWN: Final = 60
"""Bytes of an invalid header that the log shows."""


class ProxyHeader:
    """Receives for a connection behind `haproxy:`: first the header, and then the data.

    Installed by `read_proxy_header`.
    """

    def __init__(self, wrapper: HAProxyProtocolWrapper) -> None:
        self._wrapper: Any = proxy(wrapper)  # which has this object: they make no circle
        self._received: bytearray | None = bytearray()  # None after the header
        self._is_invalid = False

    def receive(self, data: bytes) -> None:
        """Handle data that has arrived; called in place of the wrapper's `dataReceived`."""
        received = self._received
        if received is None:
            self._wrapper.wrappedProtocol.dataReceived(data)
            return
        if self._is_invalid:
            return  # the connection is about to be reset
        received += data
        try:
            length = header_length(received)
        except ProxyHeaderError as error:
            self._is_invalid = True
            received.clear()
            connection = self._wrapper.wrappedProtocol
            while isinstance(connection, ProtocolWrapper):
                connection = connection.wrappedProtocol
            connection.reason = Failure(error.with_traceback(None))  # which has this frame
            connection.abortConnection()
            return
        if not length:
            return
        self._received = None
        header = bytes(received[:length])
        # Twisted does not know the header that ends after UNKNOWN.
        header = _UNKNOWN + b"\r\n" if header.startswith(_UNKNOWN.rstrip()) else header
        HAProxyProtocolWrapper.dataReceived(self._wrapper, header)
        if len(received) > length:
            self._wrapper.wrappedProtocol.dataReceived(bytes(received[length:]))


def read_proxy_header(transport: Any) -> None:
    """Read the PROXY header for the connection on `transport`, if it is behind `haproxy:`.

    Call this when the connection is made.
    """
    wrapper = wrapper_of(transport, HAProxyProtocolWrapper)
    if wrapper is not None:
        wrapper.dataReceived = ProxyHeader(wrapper).receive


def header_length(received: bytearray) -> int:
    """Return the length of the header that `received` begins with; 0 if it is not complete yet.

    Raises ProxyHeaderError if no valid header begins like that.
    """
    if _START_V2.startswith(received[: len(_START_V2)]):
        return _length_v2(received)
    if not _START_V1.startswith(received[: len(_START_V1)]):
        raise ProxyHeaderError(f"no PROXY header: {_show(received)}")
    end = received.find(b"\r\n", 0, _MAX_V1)
    if end >= 0:
        _check_v1(bytes(received[:end]))
        return end + 2
    if len(received) >= _MAX_V1:
        raise ProxyHeaderError(f"a PROXY header of more than {_MAX_V1} bytes: {_show(received)}")
    return 0


def _check_v1(line: bytes) -> None:
    """Raise ProxyHeaderError if `line` is not valid in version 1 (section 2.1)."""
    if (line + b" ").startswith(_UNKNOWN):
        return  # the rest of the line is to be ignored
    found = _LINE_V1.fullmatch(line)
    if found is not None and max(map(int, found.group(4, 5))) <= _MAX_PORT:
        make = IPv4Address if found[1] == b"4" else IPv6Address
        with suppress(ValueError):
            make(found[2].decode())
            make(found[3].decode())
            return
    raise ProxyHeaderError(f"a malformed PROXY header: {_show(line)}")


def _length_v2(received: bytearray) -> int:
    """Return the length of a header of version 2 (section 2.2), or 0.

    Raises ProxyHeaderError for what receivers must not accept.
    """
    if len(received) < _FIXED_V2:
        return 0
    command, (family, transport) = received[12], divmod(received[13], 16)
    length = int.from_bytes(received[14:16])
    if command != _LOCAL:  # of LOCAL, the rest is to be ignored
        room = _ADDRESS_LENGTHS.get(family)
        if command != _PROXY or room is None or transport > _MAX_TRANSPORT:
            raise ProxyHeaderError(f"a malformed PROXY header: {_show(received)}")
        if transport and length < room:
            raise ProxyHeaderError(f"a PROXY header without its addresses: {_show(received)}")
    return _FIXED_V2 + length if len(received) >= _FIXED_V2 + length else 0


def _show(received: bytes | bytearray) -> str:
    """Return the start of what was received, quoted, so that it cannot forge a line of the log."""
    start = bytes(received[:_MAX_SHOWN])
    return f"{start!r}{'...' * (len(received) > _MAX_SHOWN)}"
