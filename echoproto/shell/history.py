"""What was typed, kept from run to run: a file for each target, that only its owner can read."""

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
    """The history kept under `key`; where none can be kept, one for this run and the reason."""
    folder = platformdirs.user_state_path("echoproto") / "history"
    path = folder / quote(os.fsencode(key), safe="")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        return InMemoryHistory(), f"history is not kept: {error}"
    return _PrivateHistory(path), None


class _PrivateHistory(FileHistory):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        path.chmod(0o600)

    def store_string(self, string: str) -> None:
        """Append to the file. What was typed that is not text is kept as U+FFFD."""
        text = string.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        with suppress(OSError):  # a full disk ends the keeping of history, not the shell
            super().store_string(text)
