"""The reactors that tests run on."""

from __future__ import annotations

from reactor.conftest import running

__all__ = ["running"]
