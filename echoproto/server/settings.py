"""The settings of the server: one declaration for each, from which the options are made.

A setting is a field of `Settings`. The field has the name, the type and the default. `setting` adds
the letter, the choices, a function that reads the text, and the help. All other code receives a
`Settings` and never parses text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from echoproto.server.listener import endpoint_strings
from echoproto.server.sockets import SOCKET_BUFFER

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.server.echo import Mode
    from echoproto.wire.telnet.scanner import TelnetMode

DEFAULT_PORT: Final = 2020

MIN_BUFFER: Final = 8192
MAX_BUFFER: Final = 2**30


@dataclass(frozen=True)
class Declaration:
    """What a setting has besides its name and its default."""

    help: str
    letter: str | None
    one_of: tuple[str, ...]
    read: Callable[[str], Any]
    """Converts text to the value. Raises ValueError with a message that says what is right."""

    def value_of(self, text: str) -> Any:
        """Convert `text` to the value. Raises ValueError with a message that says what is right."""
        if self.one_of and text not in self.one_of:
            *others, last = self.one_of
            raise ValueError(f"give {', '.join(others)} or {last}")
        return self.read(text)


def setting(
    default: Any,
    help: str,  # noqa: A002 - its name on command lines
    *,
    letter: str | None = None,
    one_of: tuple[str, ...] = (),
    read: Callable[[str], Any] = str,
) -> Any:
    """Declare a setting. A bool is a flag. A tuple may be given several times, and grows."""
    return field(default=default, metadata={"declaration": Declaration(help, letter, one_of, read)})


def read_buffer_size(text: str) -> int:
    """Read the size of a socket's buffers, in bytes. Raises ValueError."""
    size = int(text) if re.fullmatch("[0-9]{1,10}", text) else -1
    if size != 0 and not MIN_BUFFER <= size <= MAX_BUFFER:
        raise ValueError(
            f"give a number of bytes from {MIN_BUFFER} to {MAX_BUFFER}, or 0 for the system's own"
        )
    return size


@dataclass(frozen=True)
class Settings:
    """The settings of `twistd echo`."""

    listen: tuple[str, ...] = setting(
        (),
        "PORT (loopback), HOST:PORT, [IPV6]:PORT or a Twisted endpoint string; repeats. "
        f"If not given: port {DEFAULT_PORT} of the loopback interface.",
        letter="l",
        read=endpoint_strings,
    )
    mode: Mode = setting(
        "stream",
        "stream: echo each byte at once; line: echo each line when it has ended.",
        letter="m",
        one_of=("stream", "line"),
    )
    telnet: TelnetMode = setting(
        "auto",
        "When a client is telnet: auto (when it negotiates telnet), always or never.",
        letter="t",
        one_of=("auto", "always", "never"),
    )
    log_lines: bool = setting(False, "Log each line that is echoed.")
    socket_buffer: int = setting(
        SOCKET_BUFFER,
        "Bytes that the system may hold for a connection, in each direction; 0 leaves it to the "
        f"system. If not given: {SOCKET_BUFFER}.",
        read=read_buffer_size,
    )

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Twisted endpoint strings to listen on."""
        return self.listen or endpoint_strings(str(DEFAULT_PORT))


def declarations() -> list[tuple[str, Any, Declaration]]:
    """Return the name, default and declaration of each setting."""
    return [(each.name, each.default, each.metadata["declaration"]) for each in fields(Settings)]
