"""What stands beside the lines: the time of each reply, time stamps, and marks.

    hello  0.4 ms                       the reply began 0.4 ms after the line was sent
    12:34:56.789 hello                  a time stamp
    hello⏎                              the line has no line end

- The time of a reply is that from the last send to the first byte that came after it. It stands
  beside the first line of the reply that is not empty. In character mode, after a password, and
  when the user has held the output meanwhile, there is none.
- A time stamp is that of the system call that received the end of the line, or of the Enter key.

A `Margin` is the watcher that takes the times. `session` asks it for what it prints.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Final

from echoproto.shell.view import NO_LINE_END, show, show_lines
from echoproto.shell.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from echoproto.shell.outbox import Outgoing
    from echoproto.shell.session import Session

_DIM: Final = "class:dim"


class Margin(Watcher):
    """Takes the times of `session`, and adds them to its lines as its settings say.

    `clock` returns seconds, and `now` the time of the day.
    """

    def __init__(
        self,
        session: Session,
        *,
        clock: Callable[[], float] = perf_counter,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._session, self._clock, self._now = session, clock, now
        self._sent_at: float | None = None  # while no reply has come
        self._arrived_at: float | None = None  # when the socket last had bytes since then
        self._took: float | None = None  # the time of a reply that is not shown yet
        self._received_at: datetime | None = None  # when the data arrived that is shown now

    # As a watcher

    def sent(self, outgoing: Outgoing) -> None:
        """Begin to wait for a reply."""
        session = self._session
        is_timed = not (outgoing.is_secret or session.takes_keys or session.is_paused)
        self._sent_at = self._clock() if is_timed else None
        self._arrived_at = self._took = None

    def received(self, data: bytes) -> None:  # noqa: ARG002
        """Take the time of a reply that begins, and the time of the day."""
        self._received_at = self._now() if self._session.settings.stamps else None
        if self._sent_at is not None:
            now = self._clock() if self._arrived_at is None else self._arrived_at
            self._took, self._sent_at = now - self._sent_at, None

    def closed(self) -> None:
        """Forget the times of this connection."""
        self._sent_at = self._took = self._received_at = None

    # For the session

    def note_arrival(self) -> None:
        """Note that the socket has bytes, which may be shown and received only later."""
        self._arrived_at = self._clock()

    def note_pause(self) -> None:
        """Note that the user holds the output: from here on, a wait for a reply tells nothing."""
        self._sent_at = None

    @property
    def stamp(self) -> StyleAndTextTuples:
        """The time stamp for a line that is typed now, or nothing."""
        return self._stamp(self._now)

    def _stamp(self, when: Callable[[], datetime]) -> StyleAndTextTuples:
        if not self._session.settings.stamps or self._session.takes_keys:
            return []
        time = when()
        return [(_DIM, f"{time:%H:%M:%S}.{time.microsecond // 1000:03} ")]

    @property
    def reply_time(self) -> StyleAndTextTuples:
        """The time of the last reply, unless it is shown already."""
        if self._took is None or not self._session.settings.reply_times:
            return []
        return [(_DIM, f"  {format_time(self._took)}")]

    def show_lines(self, lines: Sequence[bytes]) -> StyleAndTextTuples:
        """Return the lines of the peer as text, each followed by a line end."""
        stamp = self._stamp(lambda: self._received_at or self._now())
        time = self.reply_time
        first = next((n for n, line in enumerate(lines) if line), None) if time else None
        if first is None and not stamp:
            return show_lines(lines)  # for speed
        shown: StyleAndTextTuples = []
        for number, line in enumerate(lines):
            shown += [*stamp, *show(line)]
            if number == first:
                shown += time
                self._took = None
                if not stamp:
                    return [*shown, ("", "\n"), *show_lines(lines[number + 1 :])]
            shown.append(("", "\n"))
        return shown

    def show_unended(self, line: bytes) -> StyleAndTextTuples:
        """Return a line that has no line end as text that says so, with a line end."""
        return [*show(line), NO_LINE_END, *self.reply_time, ("", "\n")]


def format_time(seconds: float) -> str:
    """Return a time as text, with two or three digits: 0.4 ms, 12 ms, 1.23 s."""
    milliseconds = seconds * 1000
    if milliseconds < 1000:  # noqa: PLR2004
        return f"{milliseconds:.{1 if milliseconds < 10 else 0}f} ms"  # noqa: PLR2004
    return f"{seconds:.2f} s"
