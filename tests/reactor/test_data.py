"""What can be written: anything bytes-like, of which nothing is kept."""

from __future__ import annotations

from array import array

import pytest

from echoproto.reactor.data import join, to_bytes


class Bytes(bytes):
    """Bytes of a class of the caller's."""

    def __bytes__(self):
        return b"something else"


BUFFERS = [bytearray(b"data"), memoryview(b"data"), memoryview(b"d_a_t_a_")[::2], Bytes(b"data"),
           array("B", b"data")]  # fmt: skip


@pytest.mark.parametrize("buffer", BUFFERS, ids=lambda buffer: type(buffer).__name__)
def test_a_buffer_becomes_bytes(buffer):
    for data in (to_bytes(buffer), join([buffer]), join(iter([b"", buffer]))):
        assert type(data) is bytes
        assert data == b"data"


@pytest.mark.parametrize("wrong", ["text", "", 5, None, [5]])
def test_anything_else_is_refused_in_twisteds_words(wrong):
    for take in (to_bytes, lambda data: join([b"", data])):
        with pytest.raises(TypeError, match=r"^Data must be bytes$"):
            take(wrong)
