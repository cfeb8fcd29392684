"""What `write` and `writeSequence` take: anything bytes-like, and they never keep it.

A caller may therefore change its buffer as soon as `write` has returned. Only bytes, which cannot
change, are not copied. Nothing in this package is below this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer


def to_bytes(data: ReadableBuffer) -> bytes:
    """Return a copy of `data`, which is bytes-like. Raises TypeError if it is not."""
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise TypeError("Data must be bytes") from None  # Twisted's words


def join(pieces: Iterable[ReadableBuffer]) -> bytes:
    """Return the pieces joined. Raises TypeError if a piece is not bytes-like."""
    return b"".join([piece if type(piece) is bytes else to_bytes(piece) for piece in pieces])
