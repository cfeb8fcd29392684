"""Installs the reactor: the module that `twistd --reactor uvloop` imports."""

from __future__ import annotations


def install() -> None:
    """Make the uvloop reactor `twisted.internet.reactor`.

    Raises ImportError, which says what to install, where uvloop is missing.
    """
    try:
        import uvloop  # noqa: F401
    except ImportError:
        raise ImportError("uvloop is missing: pip install uvloop") from None
    from twisted.internet.main import installReactor

    from echoproto.reactor.reactor import UvloopReactor

    installReactor(UvloopReactor())
