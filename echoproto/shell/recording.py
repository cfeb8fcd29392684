"""Records a connection in a session file, which `echoproto replay` replays.

The file is written as things happen: if the shell is killed, only the start of a line is lost. A
session file is replayed on one connection. Therefore the file holds one connection, and the
recording ends with it. What is secret is left out. A file that exists already is never changed.

`session` has a `Recording` among its watchers, and `commands` starts and stops it. `wire.recorder`,
below, knows the format.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import IO, TYPE_CHECKING, Final

from echoproto.shell.upload import Upload
from echoproto.shell.watcher import Watcher
from echoproto.wire.dump import escape

if TYPE_CHECKING:
    from echoproto.client.target import Target
    from echoproto.shell.outbox import Outgoing
    from echoproto.shell.session import Session
    from echoproto.wire.recorder import Recorder
    from echoproto.wire.telnet.scanner import TelnetMode

_PRIVATE: Final = 0o600
_LINE_END_BYTES: Final = (b"\r", b"\n", b"\0")


class Recording(Watcher):
    """The recording of the connection of `session`, while there is one.

    `name` is the file as the user sees it, or "" while nothing is recorded.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.name = ""
        self._path = ""
        self._file: IO[str] | None = None
        self._recorder: Recorder | None = None  # None before the connection
        self._has_secret_start = False  # the user is typing a secret, key by key

    def start(self, path: str) -> None:
        """Record this connection from now on, or else the next one, in the new file `path`.

        Raises OSError, with the path as its `filename`, if the file exists already or cannot be
        made. Nothing must be recorded yet.
        """
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
        except FileExistsError:
            why = "the file exists already, and a recording does not overwrite it"
            raise FileExistsError(errno.EEXIST, why, path) from None
        self._file = open(fd, "w", encoding="utf-8", newline="\n")  # noqa: PTH123, SIM115
        self.name, self._path = escape(os.fsencode(path)), path
        if self._session.is_open:
            self._begin(self._session.target, ", from the middle of a connection on")

    @property
    def has_begun(self) -> bool:
        """Whether something is in the file: before the connection, there is not."""
        return self._recorder is not None

    def stop(self) -> None:
        """End the recording, if there is one. A file in which nothing was recorded is removed."""
        if self._recorder:
            self._write(self._recorder.flush())
        if self._file:
            with suppress(OSError):
                self._file.close()
            if not self._recorder:
                with suppress(OSError):
                    os.unlink(self._path)  # noqa: PTH108
        self.name, self._file, self._recorder = "", None, None

    def _begin(self, target: Target, when: str = "") -> None:
        from echoproto.wire.recorder import Recorder  # noqa: PLC0415 - slow to import, and seldom needed

        codec = self._session.codec
        telnet: TelnetMode = "always" if codec.is_telnet else "auto"
        self._recorder = Recorder(
            target=str(target),
            telnet=None if codec.is_plain else telnet,
            line_end=self._session.line_end,
            began=monotonic(),
        )
        self._has_secret_start = False
        now = datetime.now().astimezone()
        self._write(self._recorder.header(f"Recorded at {now:%Y-%m-%d %H:%M:%S %z}{when}"))

    def _write(self, text: str) -> None:
        """Write to the file at once. If that fails, only the recording ends."""
        if not (self._file and text):
            return
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            name, file = self.name, self._file
            self.name, self._file, self._recorder = "", None, None
            with suppress(OSError):
                file.close()
            self._session.say(f"{name}: {error.strerror}; the recording ends.")

    # As a watcher

    def opened(self, target: Target) -> None:
        """Begin with the connection, if a file is ready."""
        if self._file:
            self._begin(target)

    def sent(self, outgoing: Outgoing) -> None:
        """Record what is sent."""
        item = outgoing.item
        if self._recorder is None or isinstance(item, Upload):
            return
        if isinstance(item, bytes):
            self._has_secret_start = outgoing.is_secret and not item.endswith(_LINE_END_BYTES)
            self._write(self._recorder.sent(item, monotonic(), secret=outgoing.is_secret))
        else:
            self._write(self._recorder.command(item, monotonic()))

    def received(self, data: bytes) -> None:
        """Record what has come."""
        if self._recorder:
            self._write(self._recorder.received(data, monotonic()))

    def settled(self) -> None:
        """Write also the start of a line: it may be a prompt."""
        if self._recorder and not self._has_secret_start:
            self._write(self._recorder.flush())

    def half_closed(self) -> None:
        """Record the end of the local side."""
        if self._recorder:
            self._write(self._recorder.sent_eof(monotonic()))

    def received_eof(self) -> None:
        """Record the end of the peer's side."""
        if self._recorder:
            self._write(self._recorder.received_eof(monotonic()))

    def closed(self) -> None:
        """End with the connection."""
        if self._recorder:
            name = self.name
            self.stop()
            self._session.say(f"The connection is recorded in {name}.")
