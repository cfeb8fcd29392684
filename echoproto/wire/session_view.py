"""A session file as the wire view: what it sends and expects, as `wire_view` shows a connection.

The lines of one direction that follow each other are shown as one piece of data, up to the next
time in the file. Times are those of the file, from the start; a file without times is shown without
them. A variable without a value is shown by its name.

`session_entries` and `wire_view` are below this module, and `cli.show` is above.
"""

from __future__ import annotations

from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING

from echoproto.wire.dump import escape
from echoproto.wire.session_entries import (
    Anything,
    ExpectClose,
    ExpectData,
    ExpectMatch,
    HalfClose,
    Send,
    SendCommand,
)
from echoproto.wire.session_text import fill
from echoproto.wire.tap import WireEvent, WireKind
from echoproto.wire.wire_view import WIDTH, WireView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from echoproto.wire.hex_rows import Line
    from echoproto.wire.session_entries import Entry, SessionFile


def session_lines(
    session: SessionFile, values: Mapping[str, bytes], width: int = WIDTH
) -> Iterator[Line]:
    """Yield the lines of the view of `session`, for a terminal of `width` columns.

    `values` are the values of variables that the user gives.
    """
    has_times = any(entry.time is not None for entry in session.entries)
    names = {name: f"${{{name}}}".encode() for name in session.used_variables}
    known = {**names, **session.variables, **values}
    view = WireView(width=width, zone=UTC)
    if session.target:
        yield [("notice", f"* session with {escape(session.target.encode())}")]
    for (kind, at), entries in groupby(session.entries, lambda entry: (type(entry), entry.time)):
        for line in _lines(view, at or 0.0, kind, list(entries), known):
            yield line if has_times or line[0][1].startswith(" ") else line[1:]


def _lines(
    view: WireView,
    time: float,
    kind: type[Entry],
    entries: list[Entry],
    values: Mapping[str, bytes],
) -> Iterator[Line]:
    """Yield the lines for `entries`, which are all of one kind and time."""
    data = b"".join(
        fill(entry.data, values) for entry in entries if isinstance(entry, Send | ExpectData)
    )
    if kind is Send:
        yield from view.lines(WireEvent(time, WireKind.SENT, data))
    elif kind is ExpectData:
        yield from view.lines(WireEvent(time, WireKind.RECEIVED, data))
    elif kind is HalfClose:
        yield from view.lines(WireEvent(time, WireKind.SENT_EOF))
    elif kind is ExpectClose:
        yield from view.lines(WireEvent(time, WireKind.RECEIVED_EOF))
    else:
        clock = view.lines(WireEvent(time, WireKind.CLOSED))[0][0]
        yield from ([clock, *_words(entry)] for entry in entries)


def _words(entry: Entry) -> Line:
    """Return what an entry without known bytes is."""
    match entry:
        case SendCommand(command=command):
            return [("sent", f"> sent telnet's {command.name}")]
        case Anything():
            return [("received", "< any number of lines")]
        case ExpectMatch(is_prompt=is_prompt):
            what = "what" if is_prompt else "a line that"
            return [("received", f"< {what} matches {escape(entry.source[len('<~ ') :].encode())}")]
    raise TypeError(entry)
