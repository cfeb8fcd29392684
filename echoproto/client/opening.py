"""Connects to a target: as a socket, or as one of asyncio's transports.

A host may have several addresses. They are tried one after the other, or side by side if one does
not answer soon (RFC 8305, "Happy Eyeballs"). If all fail, the error has the reason of each.

`connection.connect` uses the socket. `bench` uses the transport, because its load consists of
asyncio protocols. `network_errors` is below this module.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import aiohappyeyeballs

from echoproto.client.network_errors import connecting, reason

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence

    from echoproto.client.target import Target

    Address = tuple[int, int, int, str, tuple[Any, ...]]  # as socket.getaddrinfo returns it

OnAttempt: TypeAlias = "Callable[[str, int, int], object]"
"""Called before each attempt with the address, its number from 1, and how many there are."""

POLL_INTERVAL: Final = 0.1
"""Seconds between two attempts while a port is not open yet."""

_NEXT_ADDRESS_AFTER: Final = 0.25  # seconds; RFC 8305, section 8


_NOT_OPEN: Final = frozenset(
    (errno.ECONNREFUSED, errno.ENOENT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)
)


class AddressesError(OSError):
    """The addresses of a host have failed for different reasons, which are those of `errors`."""

    def __init__(self, message: str, errors: Iterable[OSError | None]) -> None:
        super().__init__(message)
        self.errors = errors


def ignore(address: str, number: int, count: int) -> None:
    """Ignore the attempt."""


async def open_socket(
    target: Target, on_attempt: OnAttempt = ignore, *, wait_open: bool = False
) -> socket.socket:
    """Connect to `target` and return the socket.

    With `wait_open`, try again until something listens there. Raises OSError or UnicodeError, which
    `network_errors.connecting` turns into a NetworkError. If the task is cancelled, the
    CancelledError has a note that says what has failed by then (PEP 678).
    """
    open_once = _connect_unix if target.path else _connect_tcp
    why = ""
    try:
        while True:
            try:
                return await open_once(target, on_attempt)
            except OSError as error:
                if not (wait_open and _is_not_open(error)):
                    raise
                why = reason(error)
            await asyncio.sleep(POLL_INTERVAL)
    except asyncio.CancelledError as cancelled:
        if why and not hasattr(cancelled, "__notes__"):
            cancelled.add_note(why)
        raise


def _is_not_open(error: OSError) -> bool:
    """Whether nothing listens there now, which may change."""
    errors = error.errors if isinstance(error, AddressesError) else [error]
    return any(each and each.errno in _NOT_OPEN for each in errors)


async def open_transport(
    target: Target,
    protocol: asyncio.Protocol,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    context: ssl.SSLContext | None = None,
    address: Target | None = None,
) -> None:
    """Connect `protocol` to `target`, on a transport of the event loop.

    With a `context`, the connection uses TLS. `timeout` limits the time for connecting, in seconds.
    `address` is the target with its host already looked up; it replaces `target` for connecting,
    but not for the check of the certificate. Raises NetworkError.
    """
    loop = asyncio.get_running_loop()
    async with connecting(target, timeout):
        sock = await open_socket(address or target)
        if target.path:
            await loop.create_unix_connection(lambda: protocol, sock=sock)
        else:
            name = target.server_name if context else None
            await loop.create_connection(
                lambda: protocol, sock=sock, ssl=context, server_hostname=name
            )


async def _connect_tcp(target: Target, on_attempt: OnAttempt) -> socket.socket:
    addresses = await _look_up(target)
    attempts = _Attempts(len(addresses), on_attempt)
    try:
        sock = await aiohappyeyeballs.start_connection(
            addresses,
            happy_eyeballs_delay=_NEXT_ADDRESS_AFTER,
            loop=cast("asyncio.AbstractEventLoop", attempts),
            socket_factory=_Socket,
        )
    except OSError:
        if len({reason(error) for error in attempts.errors.values() if error}) > 1:
            raise AddressesError(attempts.summary, attempts.errors.values()) from None
        raise
    except asyncio.CancelledError as cancelled:
        if any(attempts.errors.values()):
            cancelled.add_note(attempts.summary)
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Telnet's Synch sends a part of it as urgent data (RFC 854): receive that among the other data.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    return sock


class _Attempts:
    """The attempts to connect to the `count` addresses of a host.

    It takes the place of the event loop in aiohappyeyeballs, which calls only `sock_connect`. That
    is the one place that sees each address together with its error.
    """

    def __init__(self, count: int, on_attempt: OnAttempt) -> None:
        self._count, self._on_attempt = count, on_attempt
        self.errors: dict[str, OSError | None] = {}
        """Why each address has failed; None for one that has not failed yet."""

    @property
    def summary(self) -> str:
        """The reason of each address, as a part of a message."""
        return "; ".join(
            f"{address}: {reason(error) if error else 'no answer'}"
            for address, error in self.errors.items()
        )

    async def sock_connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        """See asyncio.AbstractEventLoop."""
        host = address[0]
        self.errors[host] = None
        self._on_attempt(host, len(self.errors), self._count)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as error:
            self.errors[host] = error
            raise


class _Socket(socket.socket):
    """A socket for one address, to which it connects.

    uvloop looks every address up once more before it connects, and drops the scope id of IPv6
    (uvloop issue 539): `fe80::1%eth0` would become `fe80::1`.
    """

    def __init__(self, info: Address) -> None:
        super().__init__(*info[:3])
        self._address = info[4]

    def connect(self, _: object) -> None:
        """See socket.socket."""
        super().connect(self._address)


async def _look_up(target: Target) -> Sequence[Address]:
    """Return the addresses of the host of `target`. Raises socket.gaierror or UnicodeError.

    The system's resolver cannot be interrupted, and may take half a minute to give up. Therefore it
    runs in a daemon thread, for which nothing waits: neither a cancelled lookup, nor the end of the
    event loop (which waits for the threads of its executor), nor the end of the program.
    """

    def addresses(flags: int = 0) -> Sequence[Address]:
        host, port = target.ascii_host, target.port
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)

    def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if not found.done():  # it was cancelled
            set_outcome(outcome)

    def run() -> None:
        set_outcome: Callable[[Any], None] = found.set_result
        outcome: object
        try:
            outcome = addresses()
        except Exception as error:  # noqa: BLE001 - it is raised by whoever waits
            set_outcome, outcome = found.set_exception, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, set_outcome, outcome)

    with suppress(socket.gaierror):
        return addresses(socket.AI_NUMERICHOST)  # takes no time
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[Address]] = loop.create_future()
    Thread(target=run, name="lookup", daemon=True).start()
    return await found


async def _connect_unix(target: Target, _: OnAttempt) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target.unix_address)
    except BaseException:
        sock.close()
        raise
    return sock
