"""What the user can set in the shell: on the command line, and while it runs.

The commands of the shell change a `Settings`; `session` and its features read it whenever they need
it. It outlives the connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["auto", "line", "character"]
"""How the user types: a line at a time, or each key by itself ("character").

"auto" is "character" while a telnet server echoes and takes each key by itself (ECHO and SGA).
"""


@dataclass
class Settings:
    """The settings of a shell."""

    line_end: bytes | None = None
    """The bytes to send after each line. None leaves the choice to the telnet codec."""
    mode: Mode = "auto"
    wire: bool = False
    """Whether the view shows the bytes on the wire."""
    reply_times: bool = True
    """Whether the view shows the time of each reply.

    It does from the beginning: it tells someone who did not ask for it how fast a server answers,
    and it is dim, behind the text, where it does not get in the way.
    """
    stamps: bool = False
    """Whether each line has a time stamp."""
