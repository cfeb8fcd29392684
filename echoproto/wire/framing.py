"""Framing: split a stream of bytes into lines. The server and the client share this module.

The rules:

- A line ends with LF, CR LF, CR NUL or a bare CR, in any mixture, because real clients send all
  four (RFC 1123, section 3.3.1, requires two of them). If the protocol sets an exact delimiter,
  only that delimiter ends a line.
- The lines do not depend on how the stream is cut into chunks.
- A line is available as soon as its end is certain. A CR ends its line at once, because a client
  may send nothing else and wait. If an LF or NUL follows, in this chunk or in a later one, it
  belongs to that CR. In telnet only an LF does: telnet has turned each CR NUL into CR, and a NUL
  that is left is data.
- The time spent is proportional to the number of bytes, both for a drip of single bytes and for a
  chunk of empty lines. No byte is scanned twice, and the input is not copied for each line.
- A line longer than the limit raises LineTooLongError once, and is skipped to its line end. The
  line after it is complete.

The C code of `bytes` splits the input, one block at a time. The caller may stop after any line:
`take_raw` and `take_rest` then return what it has not taken, as the bytes that arrived, and
`put_back` puts bytes in front of it. A line protocol uses them to change to raw data and back in
the middle of a chunk. They move a position in the input. The rest of the input is not copied.

Nothing in this package is below this module. The protocols of `server`, the shell and `ping` are
above it.
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
    """Any of LF, CR LF, CR NUL and CR. Compare it with `is`: as bytes it equals CR LF."""

    __slots__ = ()


ANY_LINE_END: Final = _AnyLineEnd(b"\r\n")
"""The default delimiter: LF, CR LF, CR NUL and CR each end a line that is received.

Its value as bytes is CR LF, the line end to send. The splitter compares it by identity (`is`). An
equal `bytes` object is an exact delimiter: only CR LF ends a line then.
"""

LINE_ENDS: Final = {
    "crlf": b"\r\n",
    "lf": b"\n",
    "cr": b"\r",
    "crnul": b"\r\0",
    "nul": b"\0",
    "none": b"",
}
"""The line ends that the user of a client, or a session file, can ask for by name."""

MIN_BLOCK: Final = 64
MAX_BLOCK: Final = 64 * 1024
"""Smallest and largest block: the number of bytes that are split at a time.

The first block has MIN_BLOCK bytes. Each block is twice as long as the one before, up to MAX_BLOCK.
A caller that takes the rest in the middle of a block, or changes the delimiter there, discards the
lines that are split but not taken. The next block then has MIN_BLOCK bytes again.
"""

MIN_RAW: Final = 512
MAX_RAW: Final = 1 << 30
"""Smallest and largest number of bytes that `take_raw` takes at a time.

It takes MAX_RAW at first, MIN_RAW after `put_back`, and then twice as many each time. A caller that
puts most of the bytes back every time therefore wastes no more copying than it uses.
"""

_MAX_SINGLE: Final = 1024
"""How far, in bytes, `take_line` looks for the end of a line."""

_LARGE_LIMIT: Final = 4 * 1024
"""Smallest `max_length`, in bytes, that also bounds the block.

A block that is not longer than the limit contains no line that is too long, and needs no check.
"""

_LF, _CR = 0x0A, 0x0D
END_OF_CR: Final = (b"\n", b"\0")
"""What may follow a CR and belong to it."""

_ENDS_OF_CR: Final = {True: END_OF_CR, False: (b"\n",)}  # by `nul_after_cr`
_CR_OR_LF: Final = re.compile(rb"[\r\n]")


def replace_lf(data: bytes, line_end: bytes = b"\r\n", *, after_cr: bool = False) -> bytes:
    """Return `data` with each LF, and each CR LF, replaced by `line_end`: CR LF or CR.

    Set `after_cr` if the byte before `data` was a CR. An LF at the start then belongs to that CR.
    """
    if after_cr and data.startswith(b"\n"):
        return line_end[1:] + replace_lf(data[1:], line_end)
    return data.replace(b"\r\n", b"\n").replace(b"\n", line_end)


def line_ends_to_crlf(data: bytes, *, after_cr: bool = False) -> bytes:
    """Return `data` with each LF, CR LF and CR replaced by CR LF.

    Set `after_cr` if the byte before `data` was a CR, which an earlier call has already replaced.
    """
    if after_cr:
        data = data.removeprefix(b"\n")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


class LineSplitter:
    """A splitter of a stream of bytes into lines.

    `delimiter` is `ANY_LINE_END`, or the exact bytes that end a line. `max_length` is the largest
    number of bytes that a line may have, not counting its line end; None means no limit. With
    `keep_ends`, each line includes its line end, and the lines joined are the stream. If an LF or
    NUL arrives after the line of its CR was taken, it is then an item by itself. While
    `nul_after_cr` is false, a NUL is data wherever it stands, also after a CR that has arrived
    already. Change it only when no complete line is pending.

    The split lines are in one list, and the caller takes them from one iterator over that list.
    The length hint of the iterator is the number of lines that are not taken yet. Whatever discards
    them clears the list, which also ends a loop over the iterator. `unsplit` is not empty while
    bytes are pending that have not been split.
    """

    __slots__ = (
        "_after_cr",
        "_block",
        "_block_size",
        "_idle",
        "_is_whole",
        "_line_count",
        "_lines",
        "_max_block",
        "_partial",
        "_pos",
        "_raw_size",
        "_remaining",
        "_skipping",
        "_was_cut",
        "delimiter",
        "keep_ends",
        "max_length",
        "nul_after_cr",
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
        self.nul_after_cr = True
        self._lines: list[bytes] = []  # the lines of the current block
        self._remaining = iter(self._lines)  # iterates over `_lines`; its rest is not taken yet
        self.unsplit = b""  # the input; the bytes from `_pos` on have not been split
        self._pos = 0
        self._partial = bytearray()  # the start of an unfinished line; contains no line end
        self._block_size = MIN_BLOCK  # size of the next block
        self._raw_size = MAX_RAW  # size of the next piece of raw data
        self._block = b""  # the current block, of which `_lines` are the lines
        self._line_count = 0  # lines split so far, and lines that were too long
        self._after_cr = False  # the last line ended with CR: a following LF or NUL belongs to it
        self._skipping = False  # inside a line that was too long
        self._was_cut = False  # the next line is the rest of one that `cut` has cut
        self._is_whole = not keep_ends  # `unsplit`, from `_pos` on, is all that is pending
        self._idle = not keep_ends  # nothing is pending or unfinished: `take` may split at once
        self.configure(delimiter, max_length)

    def feed(self, data: bytes) -> None:
        """Add `data`, which has just arrived. `split` returns its lines."""
        if not data:
            return
        self._idle = False
        self.unsplit = self.unsplit[self._pos :] + data if self.unsplit else data
        self._pos = 0

    def take(self, data: bytes) -> bytes | None:
        """Add `data`, which has just arrived. If it is exactly one line, take and return that line.

        Return None otherwise; `split` then returns the lines. A request, or its reply, is nearly
        always one line in a chunk by itself, and this method is then all that the line costs: it
        splits complete lines at once if nothing is pending before them and none can be too long.
        """
        lines: list[bytes] = []
        if self._idle and data and (self.max_length is None or len(data) <= self.max_length):
            if self.delimiter is not ANY_LINE_END:
                if data.endswith(self.delimiter):
                    lines = data.split(self.delimiter)
                    if lines.pop():  # b"aaa" ends with b"aa", but its only line end is the first
                        lines = []
            elif data[-1] == _LF and 0 not in data:
                lines = data.splitlines()
        if not lines:
            self.feed(data)
            return None
        self._line_count += len(lines)
        if len(lines) == 1:
            return lines[0]
        self._block, self._lines, self._remaining = data, lines, iter(lines)
        self._idle = self._is_whole = False
        return None

    def take_line(self) -> bytes | None:
        """Take the next line, if no line after it is split yet and its end is near.

        Otherwise return None; `split` then returns the lines. A caller that stops after every line
        uses this, because it would use only one line of a block.
        """
        if not self._is_whole:
            return None
        data, start, delimiter = self.unsplit, self._pos, self.delimiter
        if delimiter is ANY_LINE_END:
            end = data.find(b"\n", start, start + _MAX_SINGLE)
            after = end + 1
            if end > start and data[end - 1] == _CR:
                end -= 1
            if end > start and data.find(b"\r", start, end) >= 0:
                return None
        else:
            end = data.find(delimiter, start, start + _MAX_SINGLE)
            after = end + len(delimiter)
        if end < 0 or (self.max_length is not None and end - start > self.max_length):
            return None
        self._pos = after
        self._line_count += 1
        return data[start:end]

    def split(self) -> Iterator[bytes]:
        """Return an iterator over the next lines. It is empty when no complete line is pending.

        The iterator covers some of the lines: call `split` again for more. The caller may leave the
        iterator after any line; the next call returns the lines that were not taken. Raises
        LineTooLongError in place of each line that is too long, once for each.
        """
        if not length_hint(self._remaining):
            self._split_next_block()
        return self._remaining

    def discard_taken(self) -> bool:
        """Release the memory of the current block if all its lines were taken.

        Return whether nothing is pending, except perhaps an unfinished line.
        """
        if self.unsplit or length_hint(self._remaining):
            return False
        self._block = self._block[-1:]
        self._idle = not (self._partial or self._after_cr or self._skipping or self.keep_ends)
        self._is_whole = self._idle
        return True

    @property
    def taken(self) -> int:
        """Number of lines taken so far, including lines that were too long."""
        return self._line_count - length_hint(self._remaining)

    def __iter__(self) -> Iterator[bytes]:
        """Yield all complete lines. Raises as `split` does; iterate again to continue."""
        while length_hint(lines := self.split()):
            yield from lines

    def cut(self, *, keep_rest: bool) -> Iterator[bytes]:
        """Yield all complete lines, and cut a line that is too long instead of raising.

        The first part of a cut line is what had arrived of it when it exceeded the limit. With
        `keep_rest`, the rest of that line follows as another line, unless it is empty; otherwise
        the rest is skipped.
        """
        while True:
            try:
                for line in self:
                    is_rest, self._was_cut = self._was_cut, False
                    if line or not is_rest:
                        yield line
            except LineTooLongError as error:
                yield error.line
                if keep_rest:
                    self.put_back(b"")
                    self._was_cut = True
            else:
                return

    @property
    def partial(self) -> bytes:
        """The start of the unfinished line. Valid only after `split` has returned no lines."""
        return bytes(self._partial)

    def take_rest(self) -> bytes:
        """Take everything that was not taken as a line, as the bytes that arrived."""
        self._rewind()
        rest = self.unsplit[self._pos :]
        self.unsplit, self._pos = b"", 0
        return rest

    def take_raw(self) -> bytes:
        """Take what `take_rest` would take, or the first part of it; b"" if there is nothing."""
        if not self._is_whole:
            self._rewind()
        start = self._pos
        raw = self.unsplit[start : start + self._raw_size]
        if self._raw_size < MAX_RAW:
            self._raw_size *= 2
        self._pos = start + len(raw)
        if not raw:
            self.unsplit, self._pos = b"", 0
        return raw

    def put_back(self, data: bytes) -> None:
        """Put `data` in front of everything that was not taken.

        If a line that was too long was being skipped, its rest is no longer skipped.
        """
        if not self._is_whole:
            self._rewind()
            self._skipping = False
            self._after_cr = self._after_cr and not data
            self._is_whole = not (self._after_cr or self.keep_ends)
        self._prepend(data)
        self._idle = False
        self._raw_size = MIN_RAW

    def _rewind(self) -> None:
        """Undo the splitting of everything that was not taken."""
        self._block_size = MIN_BLOCK
        remaining = length_hint(self._remaining)
        if self._skipping:
            self._partial.clear()
        if remaining:
            pieces = self._lines_of(self._block, keep_ends=True)[-remaining:]
            self._prepend(self._block[len(self._block) - sum(map(len, pieces)) :])
            self._line_count -= remaining
            self._lines.clear()
        else:
            if self._after_cr:
                self._consume_end_of_cr()
            if self._partial:
                self._prepend(bytes(self._partial))
                self._partial.clear()
        if self._pos < len(self.unsplit):
            self._after_cr = False
            self._skipping = False  # the rest contains the end of the line that was skipped
        self._is_whole = not (self._after_cr or self._skipping or self.keep_ends)

    def _prepend(self, data: bytes) -> None:
        """Put `data` in front of `unsplit`. It is nearly always there already, before `_pos`."""
        start = self._pos - len(data)
        if start >= 0 and self.unsplit.startswith(data, start):
            self._pos = start
        else:
            self.unsplit = data + self.unsplit[self._pos :]
            self._pos = 0

    def forget_cr(self) -> bool:
        """Return whether the last line ended with a CR whose LF or NUL may be still to come.

        Whatever comes from now on begins a line of its own.
        """
        after_cr, self._after_cr = self._after_cr, False
        return after_cr

    def erase(self, *, line: bool) -> None:
        """Erase the unfinished line if `line` is true, otherwise only its last UTF-8 character.

        Call this only after `split` has returned no lines.
        """
        if line:
            self._partial.clear()
            self._skipping = False
        elif not self._skipping:
            last = bytes(self._partial[-4:]).decode("utf-8", "surrogateescape")[-1:]
            del self._partial[len(self._partial) - len(last.encode("utf-8", "surrogateescape")) :]

    def configure(self, delimiter: bytes, max_length: int | None) -> None:
        """Set the delimiter and the limit, starting with the first line that was not taken.

        Raises ValueError if `delimiter` is empty.
        """
        if not delimiter:
            raise ValueError("the delimiter is empty: a line must end with at least one byte")
        if delimiter is self.delimiter and max_length == self.max_length:
            return
        same = delimiter == self.delimiter and type(delimiter) is type(self.delimiter)
        if not (self._is_whole or self._skipping or (same and max_length == self.max_length)):
            self._rewind()  # what is pending is then split by the new delimiter and limit
        self.delimiter = delimiter
        self.max_length = max_length
        self._max_block = MAX_BLOCK
        if max_length is not None and max_length >= _LARGE_LIMIT:
            self._max_block = min(max_length, MAX_BLOCK)

    def _split_next_block(self) -> None:
        """Split the next block into `_lines`. Raises LineTooLongError."""
        self._is_whole = False
        if self._pos == len(self.unsplit):
            self.unsplit, self._pos, self._block = b"", 0, self._block[-1:]
            return
        if self._after_cr:
            late_end = self._consume_end_of_cr()
            if late_end and self.keep_ends and self._block:
                self._block = late_end
                self._set_lines([late_end])
                self._line_count -= 1  # the line itself was counted with its CR
                return
        if self._partial:
            self._unsplit_delimiter_start()
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
        lines = self._lines_of(self._block, keep_ends=self.keep_ends)
        if self.max_length is not None and len(self._block) > self.max_length:
            lines = self._check_block(lines, self.max_length)
        self._pos += len(self._block) - len(self._partial)
        if self._partial:
            self._partial.clear()
        self._after_cr = self.delimiter is ANY_LINE_END and self._block[-1] == _CR
        self._set_lines(lines)

    def _set_lines(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._remaining = iter(lines)
        self._line_count += len(lines)

    def _consume_end_of_cr(self) -> bytes:
        """Consume and return an LF or NUL that belongs to the CR before it, or return b""."""
        if not self._after_cr or self._pos == len(self.unsplit):
            return b""
        self._after_cr = False
        end = self.unsplit[self._pos : self._pos + 1]
        if end not in _ENDS_OF_CR[self.nul_after_cr]:
            return b""
        self._pos += 1
        return end

    def _unsplit_delimiter_start(self) -> None:
        """Move a possible first part of a delimiter from the unfinished line back to `unsplit`.

        Its other part may have arrived since: the two must be scanned together.
        """
        overlap = self._overlap
        if overlap and self._partial and self._pos < len(self.unsplit):
            self.unsplit = bytes(self._partial[-overlap:]) + self.unsplit[self._pos :]
            self._pos = 0
            del self._partial[-overlap:]

    def _delimiter_start(self, skipped: bytes) -> bytes:
        """Return the end of `skipped` bytes, which may be the first part of a delimiter."""
        return skipped[-self._overlap :] if self._overlap else b""

    @property
    def _overlap(self) -> int:
        """Largest number of bytes of an unfinished line that can be part of its delimiter."""
        return 0 if self.delimiter is ANY_LINE_END else len(self.delimiter) - 1

    def _skip(self) -> None:
        """Skip the rest of a line that was too long, and its line end if that has arrived."""
        self._block = b""
        if self.delimiter is ANY_LINE_END:
            match = _CR_OR_LF.search(self.unsplit, self._pos)
            end = match.end() if match else 0
            self._after_cr = bool(match) and self.unsplit[end - 1] == _CR
        else:
            start = self.unsplit.find(self.delimiter, self._pos)
            end = start + len(self.delimiter) if start >= 0 else 0
            if not end:
                self._partial += self._delimiter_start(self.unsplit[self._pos :])
        if end:
            self._partial.clear()
        self._skipping = not end
        self._pos = end or len(self.unsplit)
        self._consume_end_of_cr()

    def _end_of_block(self) -> int:
        """Return the position in `unsplit` where the next block ends: just after a line end.

        Return 0 if there is no line end.
        """
        data, delimiter, start = self.unsplit, self.delimiter, self._pos
        while start < len(data):
            stop = start + self._block_size
            if self._block_size < self._max_block:
                self._block_size = min(2 * self._block_size, self._max_block)
            if delimiter is ANY_LINE_END:
                if stop >= len(data) and data[-1] == _LF:
                    return len(data)  # the same result as below, sooner, for the usual case
                end = max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop)) + 1
                if end and data[end - 1] == _CR:
                    end += data[end : end + 1] in _ENDS_OF_CR[self.nul_after_cr]
            else:
                end = data.rfind(delimiter, start, stop + self._overlap) + 1
                if end:
                    # `rfind` may find a delimiter that a scan from the front does not meet: it
                    # finds the second b"aa" in b"aaa", where a scan meets the first one only.
                    end += self._overlap
                    end -= len(data[self._pos : end].split(delimiter)[-1])
            if end:
                return end
            start = stop
        return 0

    def _lines_of(self, block: bytes, *, keep_ends: bool) -> list[bytes]:
        """Return the lines of `block`, which ends with a line end."""
        if self.delimiter is not ANY_LINE_END:
            lines = block.split(self.delimiter)[:-1]
            return [line + self.delimiter for line in lines] if keep_ends else lines
        if _CR not in block and not keep_ends:
            return block.split(b"\n")[:-1]  # takes a third less time than `splitlines`
        if not self.nul_after_cr or 0 not in block:
            return block.splitlines(keep_ends)
        # `splitlines` does not split at CR NUL. It does split at CR LF, which has the same length.
        lines = block.replace(b"\r\0", b"\r\n").splitlines(keep_ends)
        if keep_ends:
            starts = accumulate(map(len, lines[:-1]), initial=0)
            lines = [block[at : at + len(line)] for at, line in zip(starts, lines, strict=True)]
        return lines

    def _check_block(self, lines: list[bytes], max_length: int) -> list[bytes]:
        """Return the lines before the first one that is too long.

        Shorten the block to them. If the first line of all is too long, raise LineTooLongError.
        """
        if max(map(len, lines)) <= max_length:
            return lines
        bare = self._lines_of(self._block, keep_ends=False) if self.keep_ends else lines
        for count, line in enumerate(bare):
            if len(line) > max_length:
                if not count:
                    self._pos += len(line) - len(self._partial)
                    self._raise_too_long(line, max_length)
                ends = self._lines_of(self._block, keep_ends=True)[:count]
                self._block = self._block[: sum(map(len, ends))]
                return lines[:count]
        return lines

    def _check_partial(self) -> None:
        """Raise LineTooLongError if the unfinished line is too long wherever it ends."""
        if self.max_length is None or self._skipping:
            return
        # As in Twisted's LineReceiver: the last bytes may be the first part of the delimiter. For a
        # delimiter of one byte, the line may be one byte longer: a caller that puts back the bytes
        # beyond the limit and the delimiter then has at least one byte to put back.
        if len(self._partial) > self.max_length + max(len(self.delimiter) - 1, 1):
            self._raise_too_long(bytes(self._partial), self.max_length)

    def _raise_too_long(self, line: bytes, max_length: int) -> NoReturn:
        self._block_size = MIN_BLOCK
        self._skipping = True
        self._line_count += 1
        self._partial.clear()
        self._partial += self._delimiter_start(line)
        raise LineTooLongError(line, max_length)
