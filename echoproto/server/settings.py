"""The settings of the server: one declaration for each, from which its options are made.

A setting is a field of `Settings`. The field has its name, type and default; `setting` adds its
letter, what it may be, how its text is read, and its help. Everyone else is given a `Settings`:
nobody else reads text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from echoproto.server.listener import endpoint_strings

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.server.echo import Mode
    from echoproto.wire.telnet.scanner import TelnetMode

DEFAULT_PORT: Final = 2020


@dataclass(frozen=True)
class Declaration:
    """What is known of a setting beside its name and default."""

    help: str
    letter: str | None
    one_of: tuple[str, ...]
    read: Callable[[str], Any]
    """Makes the value of a text. Raises ValueError, which says what would be right."""

    def value_of(self, text: str) -> Any:
        """The value that `text` means. Raises ValueError, which says what would be right."""
        if self.one_of and text not in self.one_of:
            *others, last = self.one_of
            raise ValueError(f"give {', '.join(others)} or {last}")
        return self.read(text)


def setting(
    default: Any,
    help: str,  # noqa: A002 - so it is called in the command line
    *,
    letter: str | None = None,
    one_of: tuple[str, ...] = (),
    read: Callable[[str], Any] = str,
) -> Any:
    """Declare a setting. A bool is a flag; a tuple may be given more than once, and grows."""
    return field(default=default, metadata={"declaration": Declaration(help, letter, one_of, read)})


@dataclass(frozen=True)
class Settings:
    """What `twistd echo` was asked to do."""

    listen: tuple[str, ...] = setting(
        (),
        "PORT (loopback), HOST:PORT, [IPV6]:PORT or a Twisted endpoint string; repeats. "
        f"If not given: port {DEFAULT_PORT} of the loopback interface.",
        letter="l",
        read=endpoint_strings,
    )
    mode: Mode = setting(
        "stream",
        "stream: send each byte back at once; line: each whole line.",
        letter="m",
        one_of=("stream", "line"),
    )
    telnet: TelnetMode = setting(
        "auto",
        "Whether clients are telnet: auto (each that shows it), always or never.",
        letter="t",
        one_of=("auto", "always", "never"),
    )
    log_lines: bool = setting(False, "Log each line that is echoed.")

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The Twisted endpoint strings to listen on."""
        return self.listen or endpoint_strings(str(DEFAULT_PORT))


def declarations() -> list[tuple[str, Any, Declaration]]:
    """Name, default and declaration of each setting."""
    return [(each.name, each.default, each.metadata["declaration"]) for each in fields(Settings)]
