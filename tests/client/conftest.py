"""What the tests of the client share."""

from __future__ import annotations

import pytest


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The certificate is one that the system trusts, here and in programs that are started."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
