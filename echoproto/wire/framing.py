"""Bytes in, lines out: the framing that the server and the client share.

The rules:

- A line ends with LF, CR LF, CR NUL or a bare CR, mixed as they come. All four are sent by real
  clients (RFC 1123, 3.3.1 asks for two of them). Or it ends with one exact delimiter, where the
  protocol has one.
- However the stream is cut into chunks, the lines are the same.
- A line is given as soon as its end is certain. A CR ends its line at once: a client may send
  nothing else and wait. If LF or NUL follows, now or in a later chunk, it belongs to that CR.
- Time is in proportion to the bytes, for a drip of single bytes and for a chunk of empty lines
  alike: no byte is scanned twice, none is copied for each line.
- A line longer than the limit is reported once and skipped to its end; the next line is whole.

Input is split a block at a time, by the C code of `bytes`. What a caller has not yet taken can
be had back as bytes (`take_rest`), exactly as it came: that is how a line protocol changes to raw
data in the middle of a chunk.
"""

from __future__ import annotations

import re
from itertools import accumulate
from operator import length_hint
from typing import TYPE_CHECKING, Final, NoReturn

from echoproto.errors import LineTooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _AnyLineEnd(bytes):
    """A type of its own, so that the one instance is never mistaken for an equal `bytes`."""

    __slots__ = ()


ANY_LINE_END: Final = _AnyLineEnd(b"\r\n")
"""As a delimiter: LF, CR LF, CR NUL and CR all end a line. As bytes: CR LF, the one to send."""

MIN_BLOCK: Final = 64
MAX_BLOCK: Final = 64 * 1024
"""Bytes that are split at a time: few at first, and again after the rest was taken, then twice as
many each time. So taking the rest at every line never wastes more splitting than it uses."""

_LARGE_LIMIT: Final = 4 * 1024
"""A limit of this many bytes also bounds the block, so that no line in a block can exceed it."""

_LF, _CR = 0x0A, 0x0D
_ENDS_OF_CR: Final = (b"\n", b"\0")
_CR_OR_LF: Final = re.compile(rb"[\r\n]")


def to_crlf(data: bytes, *, after_cr: bool = False) -> bytes:
    """`data` with CR LF for each LF; an LF that stands after a CR already is left as it is.

    `after_cr` says that the byte before `data` was a CR.
    """
    if after_cr and data.startswith(b"\n"):
        return b"\n" + to_crlf(data[1:])
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def line_ends_to_crlf(data: bytes, *, after_cr: bool = False) -> bytes:
    """`data` with CR LF for each LF, CR LF and CR.

    `after_cr` says that the byte before `data` was a CR, for which CR LF was given already.
    """
    if after_cr:
        data = data.removeprefix(b"\n")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


class LineSplitter:
    """Splits a stream of bytes into lines.

    `delimiter` is `ANY_LINE_END`, or the exact bytes that end a line. `max_length` is the most
    bytes that a line may have without its end; None is no limit. With `keep_ends` each line comes
    with its end, so that the lines joined are the stream; an LF or NUL whose CR was given before
    it came is then an item of its own.

    The lines that are split and not taken are in one list; they are taken from one iterator over
    it, which knows how many are left. Taking the rest empties the list, so that a loop over the
    iterator ends. `unsplit` is not empty while something waits that is not split yet.
    """

    __slots__ = (
        "_after_cr",
        "_at_rest",
        "_block",
        "_block_size",
        "_given",
        "_lines",
        "_max_block",
        "_partial",
        "_pos",
        "_skipping",
        "_untaken",
        "delimiter",
        "keep_ends",
        "max_length",
        "unsplit",
    )

    def __init__(
        self,
        delimiter: bytes = ANY_LINE_END,
        max_length: int | None = None,
        *,
        keep_ends: bool = False,
    ) -> None:
        self.delimiter = b""
        self.max_length: int | None = None
        self.keep_ends = keep_ends
        self._lines: list[bytes] = []  # of the block, and the iterator over them
        self._untaken = iter(self._lines)
        self.unsplit = b""  # what has come; [_pos:] is not split yet
        self._pos = 0
        self._partial = bytearray()  # the start of an unfinished line: no line end in it
        self._block_size = MIN_BLOCK  # of the next block
        self._block = b""  # what was split last, into `_lines`
        self._given = 0  # lines of all blocks so far, and lines that were too long
        self._after_cr = False  # the last line ended with CR: LF or NUL next belongs to it
        self._skipping = False  # inside a line that was too long
        self._at_rest = not keep_ends  # nothing waits, in any way: `take` may do the simple thing
        self.configure(delimiter, max_length)

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        self._at_rest = False
        self.unsplit = self.unsplit[self._pos :] + data if self.unsplit else data
        self._pos = 0

    def take(self, data: bytes) -> bytes | None:
        """Add what has arrived; but if it is exactly one line, take that, and return it.

        Whole lines are split at once, if nothing waits before them and none can be too long. A
        request, or its reply, is nearly always one such line, and this is all that it costs.
        """
        lines: list[bytes] = []
        if self._at_rest and data and (self.max_length is None or len(data) <= self.max_length):
            if self.delimiter is not ANY_LINE_END:
                if data.endswith(self.delimiter):
                    lines = data.split(self.delimiter)
                    del lines[-1]
            elif data[-1] == _LF and 0 not in data:
                lines = data.splitlines()
        if not lines:
            self.feed(data)
            return None
        self._given += len(lines)
        if len(lines) == 1:
            return lines[0]
        self._block, self._lines, self._untaken = data, lines, iter(lines)
        self._at_rest = False
        return None

    def split(self) -> Iterator[bytes]:
        """The lines that come next: an iterator over some of them, empty when there are no more.

        It may be left at any line; what was not taken from it comes with the next call. Raises
        LineTooLongError, once for each line that is too long, in its place.
        """
        if not length_hint(self._untaken):
            self._split()
        return self._untaken

    def discard_taken(self) -> bool:
        """Drop the lines that were taken. Return whether nothing is left but an unfinished line."""
        if self.unsplit or length_hint(self._untaken):
            return False
        self._block = self._block[-1:]
        self._at_rest = not (self._partial or self._after_cr or self._skipping or self.keep_ends)
        return True

    @property
    def taken(self) -> int:
        """How many lines were taken, and how many were too long."""
        return self._given - length_hint(self._untaken)

    def __iter__(self) -> Iterator[bytes]:
        """All complete lines. Raises as `split` does, and goes on when iterated again."""
        while length_hint(lines := self.split()):
            yield from lines

    def cut(self, *, keep_rest: bool) -> Iterator[bytes]:
        """Give all complete lines; a line that is too long is cut at the limit.

        With `keep_rest` the rest of it follows, as a line of its own; otherwise it is skipped.
        """
        while True:
            try:
                yield from self
            except LineTooLongError as error:
                yield error.line
                if keep_rest:
                    self.put_back(b"")
            else:
                return

    @property
    def partial(self) -> bytes:
        """What has come of a line that has no end yet; right once `split` has returned no line."""
        return bytes(self._partial)

    def take_rest(self) -> bytes:
        """Take everything that has not been taken as a line, exactly as it came."""
        untaken = length_hint(self._untaken)
        if self._skipping:
            self._partial.clear()
        if untaken:
            pieces = self._cut(self._block, keep_ends=True)[-untaken:]
            rest = self._block[len(self._block) - sum(map(len, pieces)) :]
        else:
            self._pass_end_of_cr()
            rest = bytes(self._partial)
        rest += self.unsplit[self._pos :]
        if rest:
            self._after_cr = False
            self._skipping = False  # the end of the line that was skipped is in the rest
        self._block_size = MIN_BLOCK
        self._given -= untaken
        self._lines.clear()
        self._partial.clear()
        self.unsplit, self._pos = b"", 0
        return rest

    def put_back(self, data: bytes) -> None:
        """Put bytes in front of everything not yet taken. A line that was being skipped is not."""
        self.unsplit = data + self.take_rest()
        self._after_cr = self._after_cr and not data
        self._skipping = self._at_rest = False

    def erase(self, *, line: bool) -> None:
        """Forget the line that has no end yet, or its last character (UTF-8).

        To be called once `split` has returned no line.
        """
        if line:
            self._partial.clear()
            self._skipping = False
        elif not self._skipping:
            last = bytes(self._partial[-4:]).decode("utf-8", "surrogateescape")[-1:]
            del self._partial[len(self._partial) - len(last.encode("utf-8", "surrogateescape")) :]

    def configure(self, delimiter: bytes, max_length: int | None) -> None:
        """Change the delimiter and the limit, from the first line not yet taken on."""
        if not delimiter:
            raise ValueError("the delimiter is empty: a line must end with at least one byte")
        if delimiter is self.delimiter and max_length == self.max_length:
            return
        same = delimiter == self.delimiter and type(delimiter) is type(self.delimiter)
        if not (self._skipping or (same and max_length == self.max_length)):
            self.unsplit = self.take_rest()  # to be split anew
        self.delimiter = delimiter
        self.max_length = max_length
        self._max_block = MAX_BLOCK
        if max_length is not None and max_length >= _LARGE_LIMIT:
            self._max_block = min(max_length, MAX_BLOCK)

    def _split(self) -> None:
        """Split the next block."""
        if self._pos == len(self.unsplit):
            self.unsplit, self._pos, self._block = b"", 0, self._block[-1:]
            return
        if self._after_cr:
            late_end = self._pass_end_of_cr()
            if late_end and self.keep_ends and self._block:
                self._block = late_end
                self._give([late_end])
                return
        if self._partial:
            self._pull_back_delimiter()
        if self._skipping:
            self._skip()
        end = self._end_of_block()
        if not end:
            self._partial += self.unsplit[self._pos :]
            self.unsplit, self._pos = b"", 0
            self._block = self._block[-1:]
            self._check_partial()
            return
        self._block = self.unsplit[self._pos : end]
        if self._partial:
            self._block = bytes(self._partial) + self._block
        lines = self._cut(self._block, keep_ends=self.keep_ends)
        if self.max_length is not None and len(self._block) > self.max_length:
            lines = self._check_block(lines, self.max_length)
        self._pos += len(self._block) - len(self._partial)
        if self._partial:
            self._partial.clear()
        self._after_cr = self.delimiter is ANY_LINE_END and self._block[-1] == _CR
        self._give(lines)

    def _give(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._untaken = iter(lines)
        self._given += len(lines)

    def _pass_end_of_cr(self) -> bytes:
        """Pass over, and return, an LF or NUL that belongs to the CR before it."""
        if not self._after_cr or self._pos == len(self.unsplit):
            return b""
        self._after_cr = False
        end = self.unsplit[self._pos : self._pos + 1]
        if end not in _ENDS_OF_CR:
            return b""
        self._pos += 1
        return end

    def _pull_back_delimiter(self) -> None:
        """Put what may be the first part of a delimiter back in front of what has come since."""
        overlap = self._overlap
        if overlap and self._partial and self._pos < len(self.unsplit):
            self.unsplit = bytes(self._partial[-overlap:]) + self.unsplit[self._pos :]
            self._pos = 0
            del self._partial[-overlap:]

    def _last(self, skipped: bytes) -> bytes:
        """What must be kept of skipped bytes, to find a delimiter that they may begin."""
        return skipped[-self._overlap :] if self._overlap else b""

    @property
    def _overlap(self) -> int:
        """The most bytes at the end of an unfinished line that can be part of its end."""
        return 0 if self.delimiter is ANY_LINE_END else len(self.delimiter) - 1

    def _skip(self) -> None:
        """Pass over the rest of a line that was too long, and its end if that has come."""
        self._block = b""
        if self.delimiter is ANY_LINE_END:
            match = _CR_OR_LF.search(self.unsplit, self._pos)
            end = match.end() if match else 0
            self._after_cr = bool(match) and self.unsplit[end - 1] == _CR
        else:
            start = self.unsplit.find(self.delimiter, self._pos)
            end = start + len(self.delimiter) if start >= 0 else 0
            if not end:
                self._partial += self._last(self.unsplit[self._pos :])
        if end:
            self._partial.clear()
        self._skipping = not end
        self._pos = end or len(self.unsplit)
        self._pass_end_of_cr()

    def _end_of_block(self) -> int:
        """Where in `unsplit` the next block ends, just after a line end; 0 if there is none."""
        data, delimiter, start = self.unsplit, self.delimiter, self._pos
        while start < len(data):
            stop = start + self._block_size
            if self._block_size < self._max_block:
                self._block_size = min(2 * self._block_size, self._max_block)
            if delimiter is ANY_LINE_END:
                if stop >= len(data) and data[-1] == _LF:
                    return len(data)  # as below, for what comes most
                end = max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop)) + 1
                if end and data[end - 1] == _CR and data[end : end + 1] in _ENDS_OF_CR:
                    end += 1
            else:
                end = data.rfind(delimiter, start, stop + self._overlap) + 1
                if end:
                    # The last one that is found need not be one of those that a reader who comes
                    # from the front meets: b"aaa" holds b"aa" once.
                    end += self._overlap
                    end -= len(data[self._pos : end].split(delimiter)[-1])
            if end:
                return end
            start = stop
        return 0

    def _cut(self, block: bytes, *, keep_ends: bool) -> list[bytes]:
        """The lines of `block`, which ends with a line end."""
        if self.delimiter is not ANY_LINE_END:
            lines = block.split(self.delimiter)[:-1]
            return [line + self.delimiter for line in lines] if keep_ends else lines
        if _CR not in block and not keep_ends:
            return block.split(b"\n")[:-1]  # a third less time than `splitlines`
        if 0 not in block:
            return block.splitlines(keep_ends)
        # CR LF in the place of CR NUL: of the same length, and known to `splitlines`.
        lines = block.replace(b"\r\0", b"\r\n").splitlines(keep_ends)
        if keep_ends:
            starts = accumulate(map(len, lines[:-1]), initial=0)
            lines = [block[at : at + len(line)] for at, line in zip(starts, lines, strict=True)]
        return lines

    def _check_block(self, lines: list[bytes], max_length: int) -> list[bytes]:
        """The lines before the first that is too long; refuse that one if it comes first."""
        if max(map(len, lines)) <= max_length:
            return lines
        bare = self._cut(self._block, keep_ends=False) if self.keep_ends else lines
        for count, line in enumerate(bare):
            if len(line) > max_length:
                if not count:
                    self._pos += len(line) - len(self._partial)
                    self._refuse(line, max_length)
                ends = self._cut(self._block, keep_ends=True)[:count]
                self._block = self._block[: sum(map(len, ends))]
                return lines[:count]
        return lines

    def _check_partial(self) -> None:
        """Refuse an unfinished line once it can only end as one that is too long."""
        if self.max_length is None or self._skipping:
            return
        # As LineReceiver does. For a delimiter of one byte, one byte later: so a caller who puts
        # back what is beyond the limit and the delimiter has at least a byte to put back.
        if len(self._partial) > self.max_length + max(len(self.delimiter) - 1, 1):
            self._refuse(bytes(self._partial), self.max_length)

    def _refuse(self, line: bytes, max_length: int) -> NoReturn:
        self._block_size = MIN_BLOCK
        self._skipping = True
        self._given += 1
        self._partial.clear()
        self._partial += self._last(line)
        raise LineTooLongError(line, max_length)
