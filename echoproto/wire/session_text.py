r"""The text of a session file's lines: bytes, escapes and variables, to write and to read.

What a line sends or expects is UTF-8 text. These rules make it exact:

- An escape stands for bytes: ``\r \n \t \0 \e`` (ESC), ``\\``, ``\$`` and ``\xNN``.
- ``${name}`` is a variable: it stands for bytes that are known when the session is replayed.
- A line ends with the usual line end of the file, which is not written. A single backslash at the
  end of the text means that nothing is added: ``login: \`` has no line end, ``hello\n\`` has LF.

What `write` returns cannot act on a terminal, and does not end in a blank, which an editor could
remove. `dump`, which decides what is text, is below this module. `session_file` and `recorder` are
above it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from echoproto.wire.dump import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_LINE_END: Final = "\\"
"""What stands at the end of a text to which no line end is added."""

MIN_REPLACED: Final = 4
"""Smallest number of bytes of a secret that is replaced inside a line.

A shorter one would be found in lines that have nothing to do with it.
"""

_ESCAPES: Final = {
    b"\r": r"\r",
    b"\n": r"\n",
    b"\t": r"\t",
    b"\0": r"\0",
    b"\x1b": r"\e",
    b"\\": r"\\",
    b"$": r"\$",
}
_MEANINGS: Final = {text[1]: data for data, text in _ESCAPES.items()}

_PLAIN: Final = re.compile(rb"[ -#%-\[\]-~]*")  # what needs no look at each character

# A dollar sign needs an escape only where it would begin a variable.
_TO_ESCAPE: Final = re.compile(rb"([\r\n\t\0\x1b\\]|\$(?=\{))")

NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
"""A regular expression for the name of a variable."""

_VARIABLE: Final = rf"\$\{{(?P<name>{NAME})\}}"
_TOKEN: Final = re.compile(
    rf"(?P<text>[^\\$]+|\$(?!\{{))|\\x(?P<hex>[0-9A-Fa-f]{{2}})|\\(?P<escape>[rnt0e\\$])|{_VARIABLE}"
)
# In a regular expression, the backslash and the character after it belong together.
_PATTERN_TOKEN: Final = re.compile(rf"(?P<text>(?:\\.|[^\\$]|\$(?!\{{))+)|{_VARIABLE}")


class Variable(NamedTuple):
    """The place of a variable in a text."""

    name: str


Template: TypeAlias = tuple[bytes | Variable, ...]
"""What a line of a session file stands for: bytes, and variables between them."""

Pattern: TypeAlias = tuple[str | Variable, ...]
"""A regular expression: what `re` compiles, and variables between."""


def write(data: bytes) -> str:
    """Return `data` as the text of a line. `read` returns the same bytes."""
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    pieces = _TO_ESCAPE.split(data)  # every second piece is what the expression has found
    return "".join(_ESCAPES[p] if n % 2 else escape(p) for n, p in enumerate(pieces))


def write_line(data: bytes, line_end: bytes, secrets: Mapping[bytes, str] | None = None) -> str:
    """Return `data` as the text of a line whose usual line end is `line_end`.

    `secrets` maps the bytes that must not be written to the name of the variable that replaces
    them: wherever they appear if they are MIN_REPLACED or more, and otherwise where they are the
    whole line.
    """
    body = data.removesuffix(line_end)
    text = _write_without(secrets, body) if secrets else write(body)
    if not data.endswith(line_end):
        return text + NO_LINE_END
    return text[:-1] + r"\x20" if text.endswith(" ") else text


def _write_without(secrets: Mapping[bytes, str], data: bytes) -> str:
    """Return `data` as the text of a line, with variables in the place of secrets."""
    line = data.rstrip(b"\r\n\0")  # it may have another line end than the usual one
    found = [
        each
        for each in secrets
        if each in data and (len(each) >= MIN_REPLACED or each == line != b"")
    ]
    if not found:
        return write(data)
    longest_first = sorted(found, key=len, reverse=True)
    pieces = re.split(b"(%s)" % b"|".join(map(re.escape, longest_first)), data)
    return "".join(
        f"${{{secrets[piece]}}}" if n % 2 else write(piece) for n, piece in enumerate(pieces)
    )


def read_line(text: str, line_end: bytes) -> Template:
    """Return what `text` stands for, with `line_end` unless the text ends in a single backslash.

    Raises ValueError, which says what is wrong.
    """
    text, line_end = split_line_end(text, line_end)
    return _join(*read(text), line_end)


def split_line_end(text: str, line_end: bytes) -> tuple[str, bytes]:
    """Return `text` without the backslash at its end, and the line end that it has.

    The line end is `line_end` if no single backslash ends the text, and empty otherwise.
    """
    if (len(text) - len(text.rstrip("\\"))) % 2:
        return text[:-1], b""
    return text, line_end


def read(text: str) -> Template:
    """Return what `text` stands for. Raises ValueError, which says what is wrong."""
    parts: list[bytes | Variable] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(_problem(text[at:]))
        at = token.end()
        if token["name"]:
            parts.append(Variable(token["name"]))
        elif token["hex"]:
            parts.append(bytes.fromhex(token["hex"]))
        elif token["escape"]:
            parts.append(_MEANINGS[token["escape"]])
        else:
            parts.append(token["text"].encode("utf-8", "surrogateescape"))
    return _join(*parts)


def fill(template: Template, values: Mapping[str, bytes]) -> bytes:
    """Return the bytes of `template`, with the value of each variable. All must have one."""
    return b"".join(p if isinstance(p, bytes) else values[p.name] for p in template)


def names(template: Template | Pattern) -> set[str]:
    """Return the names of the variables in `template`."""
    return {part.name for part in template if isinstance(part, Variable)}


def read_pattern(text: str) -> Pattern:
    """Return the regular expression `text` with its variables.

    Raises ValueError, which says what is wrong.
    """
    parts: list[str | Variable] = []
    at = 0
    while at < len(text):
        token = _PATTERN_TOKEN.match(text, at)
        if token is None:
            raise ValueError(_problem(text[at:]))
        at = token.end()
        parts.append(Variable(token["name"]) if token["name"] else token["text"])
    return tuple(parts)


def _join(*parts: bytes | Variable) -> Template:
    """Return `parts` with the bytes that follow each other joined."""
    joined: list[bytes | Variable] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        elif part:
            joined.append(part)
    return tuple(joined)


def _problem(rest: str) -> str:
    """Return what is wrong with `rest`, which begins with what cannot be read."""
    if rest.startswith("$"):
        return r"${ begins a variable: write ${name}, or \${ for the characters"
    if rest.startswith(r"\x"):
        return r"\x needs two hexadecimal digits: write \x0a, for example"
    shown = escape(rest[:2].encode())
    return rf"{shown} is not an escape: write one of \r \n \t \0 \e \\ \$ \xNN"
