"""The reactors that tests run on."""

from __future__ import annotations

import pytest

from reactor.running import KINDS, Running


@pytest.fixture(params=KINDS)
def running(request):
    """A reactor that runs in a thread: ours, then Twisted's own."""
    with Running(request.param) as running:
        yield running
