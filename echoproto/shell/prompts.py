"""What the start of a line, after which nothing has come for a while, looks like.

A prompt (`login: `, `$ `) waits for the user, who answers in the same line. Anything else is data
whose line end is missing. There is no sure sign, and a wrong guess does little harm: it only
decides how the start is shown.

`incoming` uses this module.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 60
"""Number of bytes at the end of the start of a line that are looked at."""

_PROMPT: Final = re.compile(
    r"""
    ( \s                                # most prompts end in a blank
    | [:?>\#$»\u203a\u276f]               # Name:  Continue?  ftp>  #  $
    | [^\d]%                            # host%, but not 50%
    | \(more\) | \(end\) | --\ ?more\ ?--  # of a pager
    | \b y(?:es)? / no? \b [\])]?       # (y/n)  [yes/no]
    ) $
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[/!?]?[A-Za-z][^<>]*>$")  # of HTML or XML: </html>

_ASKS_FOR_SECRET: Final = re.compile(
    r"""
    \b (?: pass(?:word|wd|phrase|code) | PIN(?:[ ]code)? | (?:security|verification)[ ]code | secret
        | (?:pass|kenn)wort | mot[ ]de[ ]passe | contrase\u00f1a | senha | wachtwoord ) \b
    (?: [^:?>\#$%]* [:?] | [ ]* >? ) \s* $
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A prompt that asks for a secret: `Password: `, `Enter passphrase for key '/k': `, `PIN> `."""

_MASK: Final = "*\u2022".encode()
"""The bytes of the characters that a peer echoes in place of a secret: an asterisk, a bullet."""

_ASKS_YES_OR_NO: Final = re.compile(r"\b y(?:es)? / no? \b", re.VERBOSE | re.IGNORECASE)


def is_prompt(start: bytes) -> bool:
    """Whether the start of a line looks like a prompt."""
    text = _text(start)
    return asks_for_secret(start) or bool(_PROMPT.search(text) and not _TAG.search(text))


def asks_for_secret(start: bytes) -> bool:
    """Whether the start of a line asks for a password or another secret.

    It still does while the peer echoes a mask, such as `*`, for each key of the answer.
    """
    text = _text(start.rstrip(_MASK))
    return bool(_ASKS_FOR_SECRET.search(text)) and not _ASKS_YES_OR_NO.search(text)


def _text(start: bytes) -> str:
    return start[-LONGEST:].decode("utf-8", "replace")
