r"""Arguments of commands that are more than one of a few words: bytes, and the names of files.

Bytes stand in double quotes, with the escapes of session files: ``"\x00\xffraw\r\n"``. The name of
a file may stand in double quotes, and must if it contains a space. In quotes, ``\"`` is a quote.

`commands` uses this module. `wire.session_text`, below, reads the escapes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from echoproto.wire.session_text import read

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_QUOTES: Final = re.compile(r'[\s"\\]')


def parse_bytes(word: str) -> bytes:
    """Return the bytes that `word`, in quotes, stands for. Raises ValueError."""
    text = _ESCAPED.sub(lambda found: '"' if found[1] == '"' else found[0], _unquoted(word))
    template = read(text)
    data = template[0] if template else b""
    if len(template) > 1 or not isinstance(data, bytes):
        raise ValueError(r"there are no variables here: write \${ for the characters")
    return data


def parse_word(word: str) -> str:
    """Return `word` without its quotes, if it has any. Raises ValueError."""
    return _ESCAPED.sub(r"\1", _unquoted(word)) if word.startswith('"') else word


def parse_path(word: str) -> str:
    """Return the path that `word` names, with ~ as the folder of the user. Raises ValueError."""
    word = parse_word(word)
    if not word:
        raise ValueError("the name of the file is empty")
    if "\0" in word:
        raise ValueError("the name of a file cannot contain NUL")
    return os.path.expanduser(word)  # noqa: PTH111 - a Path would drop a / at the end


def _unquoted(word: str) -> str:
    if not _QUOTED.fullmatch(word):
        raise ValueError(f"{word}: the quote at the end is missing")
    return word[1:-1]


def complete_path(begun: str) -> Iterable[str]:
    """Return the words that name a file or a folder, and begin as the word that is `begun` does.

    The name of a folder ends in a slash, and its quotes are still open.
    """
    text = _ESCAPED.sub(r"\1", begun[1:]) if begun.startswith('"') else begun
    folder, _, start = text.rpartition("/")
    folder += "/" * ("/" in text)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:  # noqa: PTH111
            found = [
                (f"{folder}{entry.name}", entry.is_dir())
                for entry in entries
                if entry.name.startswith(start) and (start or not entry.name.startswith("."))
            ]
    except (OSError, ValueError):  # ValueError: the name contains NUL
        return []
    quotes = begun.startswith('"') or any(_NEEDS_QUOTES.search(name) for name, _ in found)
    return sorted(_word(name, is_folder=is_folder, quotes=quotes) for name, is_folder in found)


def _word(name: str, *, is_folder: bool, quotes: bool) -> str:
    """Return the word that names a file."""
    word, end = f"{name}/" if is_folder else name, ""
    if quotes:
        escaped = word.replace("\\", r"\\").replace('"', r"\"")
        word, end = f'"{escaped}', "" if is_folder else '"'
    return f"{word}{end}"
