r"""Bytes as rows of hex with the text beside it, as `hexdump -C` and `socat -x -v` show them.

    0000  68 65 6c 6c 6f 20 77 6f  72 6c 64 2e 0d 0a        hello world.\r\n
    000e  47 72 c3 bc c3 9f 65                              Grüße

A row ends after a line feed, so that each line of a text begins a row of its own. CR, LF, TAB, NUL
and ESC have their names in the text: \r \n \t \0 \e. A backslash is doubled. A byte that is no text
is a dot in the middle of the line (·); the hex tells which one it is. A character that is cut by
the end of a row stands in the row in which it begins.

`dump`, below, says what is text. `wire_view` is above.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from echoproto.wire.dump import fragments

if TYPE_CHECKING:
    from collections.abc import Iterator

Style: TypeAlias = Literal["", "dim", "sent", "received", "escape", "telnet", "notice"]
Line: TypeAlias = list[tuple[Style, str]]
"""A line without its line end: the text of each fragment, and the style to show it in."""

_GROUP: Final = 8  # bytes; two of them are a row of 16, with a gap between them
_ROWS: Final = ((76, 16), (42, 8), (0, 4))  # from this width in columns on: so many bytes a row
_NAMES: Final = {r"\x00": r"\0", r"\x09": r"\t", r"\x0a": r"\n", r"\x0d": r"\r", r"\x1b": r"\e"}
_ESCAPE: Final = re.compile(r"\\x..")
_USUAL: Final = re.compile(rb"([ -\[\]-~]*)(\r?\n)?")  # ASCII without a backslash, and a line end
_TEXT_PARTS: Final = re.compile(rb"\t|[^\t]+")


def bytes_in_row(width: int) -> int:
    """Return how many bytes a row shows in `width` columns. Rows of control bytes may be wider."""
    return next(count for least, count in _ROWS if width >= least)


def data_rows(data: bytes, style: Style, size: int) -> Iterator[tuple[int, Line]]:
    """Yield for each row of `data` its offset in `data`, and its line without the offset.

    `style` is that of the text, and `size` is the number of bytes in a row.
    """
    text_start = 0
    for match in _row(size).finditer(data):
        begin, end = match.span()
        text_end = end + _rest_of_character(data, end)
        text = text_fragments(data[text_start:text_end], style)
        hexadecimal = _hex(match[0], size)
        yield begin, [("", hexadecimal), *text] if text else [("", hexadecimal.rstrip())]
        text_start = text_end


def words_rows(raw: bytes, words: str, size: int) -> Iterator[tuple[int, Line]]:
    """Yield the rows of `raw`, which means `words`: they stand beside the first row."""
    for begin in range(0, len(raw), size):
        hexadecimal = _hex(raw[begin : begin + size], size)
        yield (
            begin,
            [("", hexadecimal.rstrip())] if begin else [("", hexadecimal), ("telnet", words)],
        )


def text_fragments(data: bytes, style: Style) -> Line:
    """Return `data` as text in `style`, with the names of control bytes, and dots for the rest."""
    line: Line = []
    if usual := _USUAL.fullmatch(data):  # for speed
        if usual[1]:
            line.append((style, usual[1].decode()))
        if usual[2]:
            line.append(("escape", r"\r\n" if len(usual[2]) > 1 else r"\n"))
        return line
    for part in _TEXT_PARTS.findall(data):
        if part == b"\t":
            line.append(("escape", r"\t"))
            continue
        for text, is_escape in fragments(part):
            if is_escape:
                line.append(("escape", _ESCAPE.sub(_name, text)))
            else:
                line.append((style, text.replace("\\", r"\\")))
    return line


def _name(escape: re.Match[str]) -> str:
    return _NAMES.get(escape[0], "·")


@lru_cache
def _row(size: int) -> re.Pattern[bytes]:
    return re.compile(rb"[^\n]{0,%d}\n|[^\n]{1,%d}" % (size - 1, size))


def _hex(row: bytes, size: int) -> str:
    """Return the hex of a row, as wide as that of a full one."""
    if size <= _GROUP:
        return f"{row.hex(' '):{3 * size + 1}}"
    groups = row[:_GROUP].hex(" "), row[_GROUP:].hex(" ")
    return f"{'  '.join(groups):{3 * size + 2}}"


def _rest_of_character(data: bytes, end: int) -> int:
    """Return how many bytes after `end` belong to the UTF-8 character that begins before it."""
    if end >= len(data) or not _is_continuation(data[end]):
        return 0
    for start in range(end - 1, max(end - 4, -1), -1):
        if not _is_continuation(data[start]):
            rest = data[end : start + 4]
            for count in range(1, len(rest) + 1):
                try:
                    data[start : end + count].decode()
                except UnicodeDecodeError:
                    continue
                return count
            break
    return 0


def _is_continuation(byte: int) -> bool:
    return byte & 0xC0 == 0x80  # noqa: PLR2004 - RFC 3629, section 3
