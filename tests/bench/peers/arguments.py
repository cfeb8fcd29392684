"""The arguments of the peers in Python, and what they print."""

from __future__ import annotations

import argparse
import ssl

BACKLOG = 1024
"""Connections that may wait to be accepted: as many at each peer that can be told."""


def arguments() -> argparse.Namespace:
    """Has `uvloop`, and `tls`: None, or the files of the certificate and the key."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    return parser.parse_args()


def ssl_context(files: list[str] | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context


def ready(port: int) -> None:
    print("listening on", port, flush=True)
