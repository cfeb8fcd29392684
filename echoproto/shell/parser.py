r"""Separates what the user types from what the terminal says by itself.

prompt_toolkit's parser knows the keys, and takes every other escape sequence for typed text. This
parser stands in front of it, and removes the sequences that are not keys: the answers of a terminal
to a program that ran before, focus and mouse events, and colours in text that is pasted without
brackets. It also passes on a paste as a whole, in time that is proportional to its length.

The sequences are those of ECMA-48, sections 5.4 and 5.6, and of "XTerm Control Sequences".
`screen` uses this module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES

if TYPE_CHECKING:
    from prompt_toolkit.input.vt100_parser import Vt100Parser

PASTE_START: Final = "\x1b[200~"
PASTE_END: Final = "\x1b[201~"

MAX_ANSWER: Final = 4096
"""Number of characters after which an answer without an end is treated as typed."""

MIN_RUN: Final = 16
"""Number of printable characters in a row, read at once, that are treated as pasted."""

_SEQUENCE: Final = re.compile(
    r"""
      (?P<key> \x1b\[\[[A-E] )                                # F1 to F5 of the Linux console
    | \x1b\[ (?: 27; (?P<modifiers>\d{1,3}) ; (?P<code>\d{1,7}) ~            # modifyOtherKeys
               | (?P<kitty_code>\d{1,7}) (?:;(?P<kitty_modifiers>\d{1,3}))? u )  # kitty
    | \x1b\[ (?![M[]) [0-?]* [ -/]* [@-~]                     # CSI
    | \x1b (?: \][0-9] | P[0-9>=!+$|] | _G )                  # OSC, DCS, APC ... ST
        [^\x00-\x1f]* (?:\x07|\x1b\\)
    """,
    re.VERBOSE,
)
_START: Final = re.compile(
    r"""
      \x1b (?: \[ (?: \[ | [0-?]* [ -/]* ) | [\]P_]? )
    | \x1b (?: \][0-9] | P[0-9>=!+$|] | _G ) [^\x00-\x1f]* \x1b?
    """,
    re.VERBOSE,
)
_LONG_START: Final = re.compile(r"\x1b(?:\][0-9]|P[0-9>=!+$|]|_G)")
_RUN: Final = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{{MIN_RUN},}}")

_ALT, _CTRL, _LOCKS = 2, 4, 64 | 128


class KeyParser:
    """Stands in front of `keys`, the parser of a prompt_toolkit input, and has its methods."""

    def __init__(self, keys: Vt100Parser) -> None:
        self._keys = keys
        self._partial = ""  # the start of a sequence
        self._pasted: list[str] = []  # the parts of a paste that has not ended yet

    def feed(self, data: str) -> None:
        """Handle `data` from the terminal."""
        data = self._partial + data
        self._partial = ""
        position = 0
        while position < len(data):
            if self._pasted:
                position = self._feed_paste(data, position)
                continue
            escape = data.find("\x1b", position)
            end = len(data) if escape < 0 else escape
            self._feed_text(data[position:end])
            position = end
            if escape < 0:
                return
            if found := _SEQUENCE.match(data, position):
                self._feed_sequence(found)
                position = found.end()
            elif _START.fullmatch(data, position) and len(data) - position < MAX_ANSWER:
                self._partial = data[position:]
                return
            else:
                self._keys.feed("\x1b")
                position += 1

    def flush(self) -> None:
        """Handle the start of a sequence that nothing has followed: the user typed Escape."""
        if not self._pasted and not _LONG_START.match(self._partial):
            partial, self._partial = self._partial, ""
            self._keys.feed(partial)
        self._keys.flush()

    def _feed_text(self, text: str) -> None:
        """Pass on `text` without an escape, long runs of printable characters as a whole."""
        position = 0
        for run in _RUN.finditer(text):
            # The first character may belong to a key that the user began to type.
            self._keys.feed(text[position : run.start() + 1])
            self._keys.feed(PASTE_START + run[0][1:] + PASTE_END)
            position = run.end()
        self._keys.feed(text[position:])

    def _feed_sequence(self, found: re.Match[str]) -> None:
        sequence = found[0]
        if sequence == PASTE_START:
            self._pasted = [sequence]
        elif found["key"] or sequence in ANSI_SEQUENCES:
            self._keys.feed(sequence)
        elif code := found["code"] or found["kitty_code"]:
            modifiers = int(found["modifiers"] or found["kitty_modifiers"] or 1) - 1
            self._keys.feed(_character(int(code), modifiers & ~_LOCKS))

    def _feed_paste(self, data: str, position: int) -> int:
        """Collect what is pasted, and pass it on when it is complete. Return where it ends."""
        end = data.find(PASTE_END, position)
        if end >= 0:
            self._keys.feed("".join(self._pasted) + data[position:end] + PASTE_END)
            self._pasted = []
            return end + len(PASTE_END)
        start = data.rfind("\x1b", position)  # perhaps of the end, whose rest has not arrived
        kept = start if start >= 0 and PASTE_END.startswith(data[start:]) else len(data)
        self._pasted.append(data[position:kept])
        self._partial = data[kept:]
        return len(data)


def _character(code: int, modifiers: int) -> str:
    """Return what a terminal sends for a key that was reported by its code; "" for none."""
    if code > 0x7F or modifiers & ~(1 | _ALT | _CTRL):  # noqa: PLR2004 - ASCII
        return ""
    char = chr(code)
    if modifiers & _CTRL and "@" <= char.upper() <= "_":
        char = chr(ord(char.upper()) & 0x1F)
    return "\x1b" * bool(modifiers & _ALT) + char
