"""Checks the host that a user writes, and returns the form of it that is looked up.

A name in ASCII is looked up as it is: the system also knows names that are no valid internet names,
such as `my_host`. Any other name is mapped as browsers map it (UTS 46, non-transitional: upper case
and full-width characters become plain ones) and then encoded by IDNA 2008 (RFC 5891): `faß.test`
is xn--fa-hia.test. Python's own codec, IDNA 2003, would look up fass.test, which is another host.

`target` uses this module.
"""

from __future__ import annotations

import re
import socket
from typing import Final

from echoproto.errors import TargetError

MAX_LABEL: Final = 63
"""Most characters between two dots of a name (RFC 1035, section 2.3.4)."""

MAX_NAME: Final = 253
"""Most characters of a name without its last dot: 255 bytes on the wire (the same section)."""

# The URL Standard calls these "forbidden domain code points".
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")


def ascii_name(host: str) -> str:
    """Return the name or address, in ASCII, under which `host` is looked up.

    Raises TargetError if `host` is neither an IPv6 address nor anything that could be a name. An
    IPv4 address is not told from a name.
    """
    if ":" in host:
        return _ipv6(host)
    name = host if host.isascii() else _to_ascii(host)
    if found := _FORBIDDEN.search(name):
        raise TargetError(f"{host}: a host name cannot contain {found[0]!r}")
    name_length, labels = len(name.removesuffix(".")), name.removesuffix(".").split(".")
    if not all(labels):
        raise TargetError(f"{host}: a host name cannot begin with a dot, or have two in a row")
    longest = max(labels, key=len)
    if len(longest) > MAX_LABEL:
        raise TargetError(
            f"{host}: a host name has at most {MAX_LABEL} characters between two dots; "
            f"{longest!r} has {len(longest)}"
        )
    if name_length > MAX_NAME:
        raise TargetError(
            f"{host}: a host name has at most {MAX_NAME} characters; this one has {name_length}"
        )
    return name


def _ipv6(host: str) -> str:
    address, percent, zone = host.partition("%")
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        raise TargetError(f"{host}: {address!r} is not an IPv6 address") from None
    if percent and (not zone or re.search(r"[\s/%\]\0]", zone)):
        raise TargetError(f"{host}: {zone!r} cannot be a network interface; give IPV6%INTERFACE")
    return host


def _to_ascii(host: str) -> str:
    """Map and encode `host`. Labels that are ASCII after the mapping stay as they are then."""
    import idna  # noqa: PLC0415 - its tables are large, and few names need them

    try:
        labels = idna.uts46_remap(host, std3_rules=False).split(".")
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode() for label in labels
        )
    except idna.IDNAError as error:
        if found := re.search(r"U\+([0-9A-F]{4,6})", str(error)):
            why = f"a host name cannot contain {chr(int(found[1], 16))!a} there (IDNA 2008)"
        elif "too long" in str(error):
            why = f"a host name has at most {MAX_LABEL} characters between two dots, as xn--..."
        else:
            why = f"this is not a valid host name: {error} (IDNA 2008)"
        raise TargetError(f"{host}: {why}") from None
