"""Writes what a tap reports, as it happens: to files, and as a view to standard error.

A file that cannot be written any more (a disk that is full) does not end the connection. A message
says so at once, the file ends there, and `failed` is true afterwards.

Each event is written at once, without a buffer: if the program is killed, nothing is lost.
`wire.wire_view` and `wire.pcap`, below, encode the events. The command line opens the
outputs, and passes them to `connection.connect` as `on_wire`.
"""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING, NamedTuple

from echoproto.wire.pcap import FILE_HEADER, PcapEncoder
from echoproto.wire.wire_view import WireView, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from echoproto.wire.tap import WireEvent
    from echoproto.wire.telnet.scanner import TelnetMode

_PRIVATE = 0o600


class WireFile:
    """A file that is open for writing, and not yet changed: `start` empties it.

    A file that does not exist is made for its owner alone. Raises OSError, with the `path` as its
    `filename`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, _PRIVATE)

    def is_same(self, other: int | str) -> bool:
        """Whether it is the regular file `other`, a path or a descriptor."""
        try:
            status = os.stat(other)  # noqa: PTH116 - a Path cannot be a descriptor
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and os.path.samestat(status, os.fstat(self.fd))

    def start(self, header: bytes) -> None:
        """Empty the file, unless it is a pipe or a device, and write `header`."""
        if stat.S_ISREG(os.fstat(self.fd).st_mode):
            os.ftruncate(self.fd, 0)
        self.write(header)

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises OSError, with the `path` as its `filename`."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:  # a pipe that another program has made non-blocking
                select.select([], [self.fd], [])
            except OSError as error:
                error.filename = self.path
                raise

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


class _Output(NamedTuple):
    path: str
    write: Callable[[WireEvent], None]


class WireOutputs:
    """Where each event is written: an `on_wire` for `connect`. It does not close the files.

    `say` is called with one line when an output fails. `failed` is whether a file has.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self.say = say
        self.failed = False
        self._outputs: list[_Output] = []

    def __call__(self, event: WireEvent) -> None:
        """Write `event` to all outputs."""
        for output in tuple(self._outputs):
            try:
                output.write(event)
            except OSError as error:
                self._outputs.remove(output)
                if output.path:
                    self.failed = True
                    self.say(f"{output.path}: {error.strerror}; what follows is not in that file")

    def add_view(self, file: WireFile, mode: TelnetMode) -> None:
        """Write the wire view to `file`, in whole. `mode` says when the connection is telnet.

        Raises OSError.
        """
        view = WireView(mode, is_dated=True)

        def write(event: WireEvent) -> None:
            for lines in view.batches(event):
                file.write(text_of(lines).encode())

        self._add_file(file, b"", write)

    def add_pcap(self, file: WireFile) -> None:
        """Write a capture file. Raises OSError."""
        encoder = PcapEncoder()
        self._add_file(file, FILE_HEADER, lambda event: file.write(encoder.packets(event)))

    def _add_file(self, file: WireFile, header: bytes, write: Callable[[WireEvent], None]) -> None:
        file.start(header)
        self._outputs.append(_Output(file.path, write))

    def add(self, write: Callable[[WireEvent], None]) -> None:
        """Call `write` with each event, until it raises OSError, of which nothing is said."""
        self._outputs.append(_Output("", write))
