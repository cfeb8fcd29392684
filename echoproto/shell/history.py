"""The history of what the user typed, which lasts from run to run.

- Each target has a file. It and its folder are created for their owner alone; a file that exists
  keeps its mode, and may be a link to one elsewhere.
- Each entry is added in one write to the end, so that two shells that share a file lose nothing.
- The shell never fails because of its history: what cannot be saved is reported once, and lasts for
  this run.

`screen` uses this module: a `LineBuffer` has a `History`.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import platformdirs
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import FileIO
    from pathlib import Path

    from prompt_toolkit.document import Document

_ENTRY: Final = re.compile(r"^\+.*(?:\n\+.*)*", re.MULTILINE)


def ignore(problem: str) -> None:
    """Ignore the problem."""


def open_history(key: str, report: Callable[[str], object] = ignore) -> History:
    """Return the history that is saved under `key`.

    `report` is called, at most once, with the reason why the history cannot be saved.
    """
    folder = platformdirs.user_state_path("echoproto") / "history"
    return SavedHistory(folder / quote(os.fsencode(key), safe=""), report)


class SavedHistory(History):
    """The history in the file `path`, in the format of prompt_toolkit's `FileHistory`.

    An entry is an empty line, a line with a comment, and each of its own lines after a `+`. Bytes
    that are not text are saved as they are.
    """

    def __init__(self, path: Path, report: Callable[[str], object] = ignore) -> None:
        super().__init__()
        self._path, self._report = path, report

    def load_history_strings(self) -> Iterable[str]:
        """Return the saved entries, the latest first."""
        self._append(b"")  # reports at the start of the shell, not after its first line
        with suppress(OSError), self._open("rb") as file:
            text = file.readall().decode("utf-8", "surrogateescape")
            return [entry[0][1:].replace("\n+", "\n") for entry in _ENTRY.finditer(text)][::-1]
        return []

    def store_string(self, string: str) -> None:
        """Append `string` to the file."""
        lines = string.replace("\n", "\n+")
        self._append(f"\n# {datetime.now()}\n+{lines}\n".encode("utf-8", "surrogateescape"))  # noqa: DTZ005 - local time, for a person

    def _append(self, data: bytes) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._open("ab") as file:
                while data:
                    data = data[file.write(data) :]
        except OSError as error:
            report, self._report = self._report, ignore
            report(f"The history cannot be saved: {error}")

    def _open(self, mode: str) -> FileIO:
        """Open the file, without waiting. Raises OSError, also for what is not a regular file."""
        return open(self._path, mode, buffering=0, opener=_open_for_owner)  # type: ignore[return-value]


def _open_for_owner(path: str, flags: int) -> int:
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is not a regular file")
    return fd


class LineBuffer(Buffer):
    """A line that the user types, with all of the history always within reach.

    prompt_toolkit's own buffer loads the history again after each line, in a task that starts when
    the prompt is drawn. If the user presses Up before that, it finds nothing. Load `history` once
    before calling `reset`.
    """

    def load_history_if_not_yet_loaded(self) -> None:
        """Do nothing, because `reset` has loaded it."""

    def reset(self, document: Document | None = None, append_to_history: bool = False) -> None:  # noqa: FBT001, FBT002
        """Begin a new line, which holds `document`, after all lines of the history."""
        super().reset(document, append_to_history)
        earlier = self.history.get_strings()
        self._working_lines.extendleft(reversed(earlier))
        self.working_index = len(earlier)
        self.cursor_position = document.cursor_position if document else 0

    def append_to_history(self) -> None:
        """Add the line to the history, as `remember` does."""
        self.remember([self.text])

    def remember(self, lines: Iterable[str]) -> None:
        """Add `lines` to the history, except for those that begin with a space or repeat the last.

        `reset` brings them within reach.
        """
        latest = (self.history.get_strings() or [""])[-1]
        for line in lines:
            if line and not line.startswith(" ") and line != latest:
                self.history.append_string(line)
                latest = line
