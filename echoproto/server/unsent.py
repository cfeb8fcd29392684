"""How much of what was written has not reached the peer yet.

Some of it is in the transport, and some in the system, which keeps it until the peer has
acknowledged it. Closing a connection is safe when both are empty: the reset that late data of the
peer brings about can then destroy nothing.
"""

from __future__ import annotations

from typing import Any

from echoproto.reactor.lingering import unacknowledged
from echoproto.server.wrappers import bottom_transport


def unsent_bytes(transport: Any) -> int:
    """Return the number of bytes that were written to `transport` and have not reached the peer.

    The system's part is not known everywhere; it is left out there.
    """
    bottom = bottom_transport(transport)
    return _in_transport(bottom) + _in_system(bottom)


def _in_transport(bottom: Any) -> int:
    unsent = getattr(bottom, "unsent", None)  # of our reactor's transports
    if unsent is not None:
        return int(unsent)
    # Twisted's: what is being sent, and what has been written since.
    buffer = getattr(bottom, "dataBuffer", b"")
    return len(buffer) - getattr(bottom, "offset", 0) + getattr(bottom, "_tempDataLen", 0)


def _in_system(bottom: Any) -> int:
    try:
        return unacknowledged(bottom.fileno())
    except (AttributeError, OSError, ValueError):  # it is lost, or not a socket
        return 0
