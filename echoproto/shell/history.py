"""The history of what the user typed, which lasts from run to run.

Each target has a file, which only its owner can read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import platformdirs
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

if TYPE_CHECKING:
    from pathlib import Path


def open_history(key: str) -> tuple[History, str | None]:
    """Open the history that is saved under `key`. Return it and None.

    If no file can be written, return a history that lasts for this run, and the reason as text for
    the user.
    """
    folder = platformdirs.user_state_path("echoproto") / "history"
    path = folder / quote(os.fsencode(key), safe="")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        return InMemoryHistory(), f"The history cannot be saved: {error}"
    return _PrivateHistory(path), None


class _PrivateHistory(FileHistory):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        path.chmod(0o600)

    def store_string(self, string: str) -> None:
        """Append `string` to the file, with U+FFFD for bytes that are not text."""
        text = string.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        with suppress(OSError):  # if the disk is full, the shell continues without saving
            super().store_string(text)
