r"""One direction of a connection, cut into data and telnet commands in words, chunk by chunk.

`TelnetPieces` is for looking on: it changes nothing, replies to nothing, and drops no byte. The
pieces of a chunk, one after the other, are the chunk. A command that is cut over two chunks is a
piece in each of them: `IAC WILL …` in the first, and `… IAC WILL ECHO` in the second.

`scanner` and `words` are below this module; `wire_view` is above it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.scanner import Scanner, TelnetMode
from echoproto.wire.telnet.words import MAX_PAYLOAD, command_words, subnegotiation_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_IAC, _SB, _SE = int(Command.IAC), int(Command.SB), int(Command.SE)
_IAC_IAC: Final = b"\xff\xff"
_DOUBLED: Final = re.compile(b"((?:\xff\xff)+)")


class Piece(NamedTuple):
    """Bytes of a chunk that belong together: data, or telnet, for which `words` are not empty."""

    raw: bytes
    words: str = ""


class TelnetPieces:
    """Cuts what goes in one direction of a connection. `mode` says when it is telnet."""

    def __init__(self, mode: TelnetMode) -> None:
        self._scanner = Scanner(mode)
        self._shown = 0  # number of pending bytes that were in the pieces of earlier chunks
        self._content: bytearray | None = None  # the start of a subnegotiation, without IAC SB

    @property
    def mode(self) -> TelnetMode:
        """When this direction is telnet; "auto" changes as soon as the bytes show whether it is."""
        return self._scanner.mode

    @mode.setter
    def mode(self, mode: TelnetMode) -> None:
        self._scanner.mode = mode

    @property
    def is_telnet(self) -> bool:
        """Whether this direction is telnet."""
        return self._scanner.mode == "always"

    def cut(self, data: bytes) -> Iterator[Piece]:
        """Yield the pieces of `data`, the next chunk. The iterator must be used up."""
        scanner = self._scanner
        scanner.feed(data)
        while True:
            if not self.is_telnet:
                if plain := scanner.take_plain():
                    yield from self._take(plain, "")
                elif not self.is_telnet:
                    break
            elif scanner.cut():
                for piece in scanner.pieces:
                    scanner.taken += len(piece)
                    yield from self._take_telnet(piece)
            else:
                break
        pending = scanner.pending
        words = command_words(pending) if self.is_telnet and pending else ""
        yield from self._take(pending, words)
        self._shown = len(pending)

    def _take(self, raw: bytes, words: str) -> Iterator[Piece]:
        """Yield what is new of `raw`."""
        shown, self._shown = self._shown, 0
        is_begun = shown and words and not words.startswith("…")
        if new := raw[shown:]:
            yield Piece(new, f"… {words}" if is_begun else words)

    def _take_telnet(self, raw: bytes) -> Iterator[Piece]:
        if raw[0] == _IAC and raw[1] != _IAC:
            yield from self._take(raw, self._command(raw))
        elif self._content is not None:
            room = MAX_PAYLOAD + 2 - len(self._content)  # more than is put into words
            self._content += raw.replace(_IAC_IAC, b"\xff")[:room]
            yield from self._take(raw, "…")
        else:
            for part in filter(None, _DOUBLED.split(raw)):
                count = len(part) // 2
                times = f" ({count:,} times)" if count > 1 else ""
                yield from self._take(part, f"IAC IAC{times}" if part[0] == _IAC else "")

    def _command(self, raw: bytes) -> str:
        content, self._content = self._content, None
        if content is not None and raw[1] == _SE:
            return f"… {subnegotiation_words(bytes(content))}"
        if raw[1] != _SB:
            return command_words(raw)
        if len(raw) > 2:  # noqa: PLR2004 - IAC SB, and all up to IAC SE
            return subnegotiation_words(raw[2:-2].replace(_IAC_IAC, b"\xff"))
        self._content = bytearray()
        return "IAC SB …"
