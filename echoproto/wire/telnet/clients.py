"""The telnet codecs of our clients: the shell, whose data a person types, and the pipe.

The shell, the pipe and `replay` use this module. `codec` and `options` are below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.options import PIPE_POLICY, SHELL_POLICY
from echoproto.wire.telnet.scanner import SIGNS_OF_SERVER

if TYPE_CHECKING:
    from echoproto.wire.telnet.scanner import TelnetMode

SHELL_TERMINAL_TYPE: Final = "dumb"
"""Terminal type that the shell reports to a telnet server (RFC 1091).

Servers do not draw on a "dumb" terminal.
"""

# AYT gets no answer from a client: the server would take the answer for input.


def shell_codec(mode: TelnetMode) -> TelnetCodec:
    """Return the codec for a connection of the shell, or for one that is replayed."""
    return TelnetCodec(
        SHELL_POLICY, mode=mode, signs=SIGNS_OF_SERVER, ayt=b"", terminal_type=SHELL_TERMINAL_TYPE
    )


def pipe_codec(mode: TelnetMode) -> TelnetCodec:
    """Return the codec for a pipe. It agrees only to options that leave the bytes unchanged."""
    return TelnetCodec(PIPE_POLICY, mode=mode, ayt=b"")
