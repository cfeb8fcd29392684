"""Turns every failure of the network into a NetworkError, whose message is one line for the user.

`opening` and `connection` use this module.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from echoproto.client.hints import refusal_hint
from echoproto.client.tls import tls_reason
from echoproto.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from echoproto.client.target import Target


@asynccontextmanager
async def connecting(target: Target, timeout: float | None) -> AsyncIterator[None]:  # noqa: ASYNC109
    """Raise NetworkError if the block fails or takes longer than `timeout` seconds."""
    what = f"cannot connect to {target.name}"
    try:
        async with asyncio.timeout(timeout):
            with tls_errors(what):
                yield
    except (OSError, UnicodeError) as error:
        if wrong_zone := _wrong_zone(target, error):
            raise NetworkError(f"{what}: {wrong_zone}") from None
        if isinstance(error, socket.gaierror):
            raise NetworkError(f"cannot find host {target.host}: {error.strerror}") from None
        # The system's timeout has an errno; that of asyncio.timeout does not.
        if isinstance(error, TimeoutError) and not error.errno:
            noted = getattr(error.__cause__, "__notes__", None)  # see `opening.open_socket`
            if noted:
                raise NetworkError(f"{what} in {in_seconds(timeout)}: {noted[0]}") from None
            raise NetworkError(f"{what}: no answer in {in_seconds(timeout)}") from None
        hint = await refusal_hint(target, error)
        raise NetworkError(f"{what}: {reason(error)}{hint}") from None


def in_seconds(count: float | None) -> str:
    """Return a number of seconds as it is written in a message: "1 second", "0.5 seconds"."""
    return f"{count:g} second{'' if count == 1 else 's'}"


@contextmanager
def tls_errors(what: str) -> Iterator[None]:
    """Raise NetworkError if TLS fails in the block; its message begins with `what`."""
    try:
        yield
    except ssl.SSLError as error:
        raise NetworkError(f"{what}: {tls_reason(error)}") from None


def reason(error: Exception) -> str:
    """Return the reason of a TLS error, or the system's text, without asyncio's words around it."""
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's, not the system's
        return tls_reason(error)
    number = _errno(error)
    return os.strerror(number) if number else str(error) or "it closed during the TLS handshake"


def _errno(error: Exception) -> int:
    number = getattr(error, "errno", None)
    if not number and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # asyncio lists an error for each address: take the first
    return number or 0


def _wrong_zone(target: Target, error: Exception) -> str:
    """Return what is wrong with the zone of the target's IPv6 address, or "" if it is not that.

    Where the zone is missing or does not exist, the system's words mislead: "Invalid argument".
    """
    interfaces = {str(word) for interface in socket.if_nameindex() for word in interface}
    there_are = f"the interfaces are {', '.join(name for _, name in socket.if_nameindex())}"
    if target.zone and target.zone not in interfaces:
        return f"there is no network interface {target.zone!r}; {there_are}"
    is_link_local = re.match("fe[89ab].:", target.host, re.IGNORECASE)  # RFC 4291, section 2.5.6
    if is_link_local and not target.zone and _errno(error) == errno.EINVAL:
        return f"a link-local address needs an interface: {target.host}%INTERFACE; {there_are}"
    return ""
