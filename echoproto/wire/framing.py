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
from copy import copy
from itertools import accumulate
from operator import length_hint
from sys import maxsize
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class _AnyLineEnd(bytes):
    """A type of its own, so that the one instance is never mistaken for an equal `bytes`."""

    __slots__ = ()


ANY_LINE_END: Final = _AnyLineEnd(b"\r\n")
"""As a delimiter: LF, CR LF, CR NUL and CR all end a line. As bytes: CR LF, the one to send."""

SHORTEST_BLOCK: Final = 64
LONGEST_BLOCK: Final = 64 * 1024
"""Bytes that are split at a time: few at first, and again after the rest was taken, then more and
more. So no more is split in vain, when the rest is taken, than was split to some purpose."""

_MANY_LINES: Final = 4 * 1024
"""Bytes of a limit from which on a block is no longer than the limit: then no line in it can be."""

_LF, _CR = 0x0A, 0x0D
_ENDS_OF_CR: Final = (b"\n", b"\0")
_CR_OR_LF: Final = re.compile(rb"[\r\n]")


class LineTooLongError(ValueError):
    """A line is longer than the limit.

    `line` is what has come of it, without its end. The rest of it is skipped.
    """

    def __init__(self, line: bytes, max_length: int) -> None:
        super().__init__(f"a line of more than {max_length} bytes")
        self.line = line


def count_lines(data: bytes, *, after_cr: bool = False) -> int:
    """How many line ends `data` holds: LF, CR LF, CR NUL or CR, each counted once.

    `after_cr` says that the byte before `data` was a CR, already counted.
    """
    lines = data.count(b"\n")
    if b"\r" in data:
        lines += data.count(b"\r") - data.count(b"\r\n")
    return lines - (after_cr and data.startswith(b"\n"))


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


def _end(iterator: Any) -> None:
    """Let a list's iterator be at its end, at once, however much is left in the list."""
    iterator.__setstate__(maxsize)


class LineSplitter:
    """Splits a stream of bytes into lines.

    `delimiter` is `ANY_LINE_END`, or the exact bytes that end a line. `max_length` is the most
    bytes that a line may have without its end; None is no limit. With `keep_ends` each line comes
    with its end, so that the lines joined are the stream; an LF or NUL whose CR was given before
    it came is then an item of its own.
    """

    __slots__ = (
        "_after_cr",
        "_block",
        "_block_size",
        "_data",
        "_given",
        "_lines",
        "_longest_block",
        "_partial",
        "_pos",
        "_skipping",
        "delimiter",
        "keep_ends",
        "max_length",
    )

    def __init__(
        self,
        delimiter: bytes = ANY_LINE_END,
        max_length: int | None = None,
        *,
        keep_ends: bool = False,
    ) -> None:
        self.delimiter = delimiter
        self.max_length = max_length
        self.keep_ends = keep_ends
        self._data = b""  # what has come; [_pos:] is not split yet
        self._pos = 0
        self._partial = bytearray()  # the start of an unfinished line: no line end in it
        self._block_size = SHORTEST_BLOCK  # of the next block
        self._block = b""  # what was split last, and the iterator over its lines
        self._lines: Any = iter(list[bytes]())
        self._given = 0  # lines, of all blocks so far
        self._after_cr = False  # the block ends with CR: LF or NUL next belongs to it
        self._skipping = False  # inside a line that was too long
        self.configure(delimiter, max_length)

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        self._data = self._data[self._pos :] + data
        self._pos = 0

    def lines(self) -> Iterator[bytes]:
        """The next complete lines: an iterator over some of them, empty when there are no more.

        It may be left at any line, or be ended by `interrupt`; what was not taken from it comes
        with the next call.

        Raises LineTooLongError, once for each line that is too long, in its place.
        """
        if not length_hint(self._lines):
            self._split()
        lines: Iterator[bytes] = self._lines
        return lines

    def let_go(self) -> bool:
        """Keep no longer what was taken; whether that is all that has come, but for `partial`."""
        if self._pos != len(self._data) or length_hint(self._lines):
            return False
        self._data, self._pos, self._block = b"", 0, self._block[-1:]
        return True

    def interrupt(self) -> None:
        """End the iterator that `lines` has given, where it is.

        So who loops over it need not look, after each line, whether to go on.
        """
        if length_hint(self._lines):
            ended, self._lines = self._lines, copy(self._lines)
            _end(ended)

    @property
    def taken(self) -> int:
        """How many lines were taken, and those that were too long."""
        return self._given - length_hint(self._lines)

    def __iter__(self) -> Iterator[bytes]:
        """All complete lines. Raises as `lines` does, and goes on when iterated again."""
        while length_hint(lines := self.lines()):
            yield from lines

    @property
    def partial(self) -> bytes:
        """What has come of a line that has no end yet; right once `lines` has come back empty."""
        return bytes(self._partial)

    def take_rest(self) -> bytes:
        """Take everything that has not been taken as a line, exactly as it came."""
        untaken = length_hint(self._lines)
        if self._skipping:
            self._partial.clear()
        if untaken:
            pieces = self._cut(self._block, keep_ends=True)[-untaken:]
            rest = self._block[len(self._block) - sum(map(len, pieces)) :]
        else:
            self._pass_end_of_cr()
            rest = bytes(self._partial)
        rest += self._data[self._pos :]
        if rest:
            self._after_cr = False
            self._skipping = False  # the end of the line that was skipped is in the rest
        self._block_size = SHORTEST_BLOCK
        self._given -= untaken
        _end(self._lines)  # whoever still holds it gets nothing more from it
        self._partial.clear()
        self._data, self._pos = b"", 0
        return rest

    def put_back(self, data: bytes) -> None:
        """Put bytes in front of everything not yet taken. A line that was being skipped is not."""
        self._data = data + self.take_rest()
        self._after_cr = self._after_cr and not data
        self._skipping = False

    def erase(self, *, line: bool) -> None:
        """Forget the line that has no end yet, or its last character (UTF-8).

        To be called once `lines` has come back empty.
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
        same = delimiter == self.delimiter and type(delimiter) is type(self.delimiter)
        if not (self._skipping or (same and max_length == self.max_length)):
            self._data = self.take_rest()  # to be split anew
        self.delimiter = delimiter
        self.max_length = max_length
        self._longest_block = LONGEST_BLOCK
        if max_length is not None and max_length >= _MANY_LINES:
            self._longest_block = min(max_length, LONGEST_BLOCK)

    def _split(self) -> None:
        """Split the next block, and leave its lines in `_lines`."""
        if self._pos == len(self._data):
            self.let_go()
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
            self._partial += self._data[self._pos :]
            self._data, self._pos = b"", 0
            self._block = self._block[-1:]
            self._check_partial()
            return
        self._block = self._data[self._pos : end]
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
        self._lines = iter(lines)
        self._given += len(lines)

    def _pass_end_of_cr(self) -> bytes:
        """Pass over, and return, an LF or NUL that belongs to the CR before it."""
        if not self._after_cr or self._pos == len(self._data):
            return b""
        self._after_cr = False
        end = self._data[self._pos : self._pos + 1]
        if end not in _ENDS_OF_CR:
            return b""
        self._pos += 1
        return end

    def _pull_back_delimiter(self) -> None:
        """Put what may be the first part of a delimiter back in front of what has come since."""
        overlap = self._overlap
        if overlap and self._partial and self._pos < len(self._data):
            self._data = bytes(self._partial[-overlap:]) + self._data[self._pos :]
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
            match = _CR_OR_LF.search(self._data, self._pos)
            end = match.end() if match else 0
            self._after_cr = bool(match) and self._data[end - 1] == _CR
        else:
            start = self._data.find(self.delimiter, self._pos)
            end = start + len(self.delimiter) if start >= 0 else 0
            if not end:
                self._partial += self._last(self._data[self._pos :])
        if end:
            self._partial.clear()
        self._skipping = not end
        self._pos = end or len(self._data)
        self._pass_end_of_cr()

    def _end_of_block(self) -> int:
        """Where in `_data` the next block ends, just after a line end; 0 if there is none."""
        data, delimiter, start = self._data, self.delimiter, self._pos
        while start < len(data):
            stop = start + self._block_size
            if self._block_size < self._longest_block:
                self._block_size = min(2 * self._block_size, self._longest_block)
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
        self._block_size = SHORTEST_BLOCK
        self._skipping = True
        self._given += 1
        self._partial.clear()
        self._partial += self._last(line)
        raise LineTooLongError(line, max_length)
