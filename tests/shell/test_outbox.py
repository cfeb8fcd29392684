"""What waits to be sent: in which order it goes out, and what is dropped."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from echoproto.errors import NetworkError, NotTelnetError
from echoproto.shell.outbox import MAX_SEND, Outbox, Outgoing
from echoproto.shell.upload import CHUNK, Upload
from echoproto.wire.telnet.commands import Command


class Connection:
    """What an outbox is run on: it keeps each call."""

    def __init__(self, *, is_telnet=True):
        self.calls = []
        self.is_telnet = is_telnet

    async def send(self, data):
        self.calls.append(data)
        return True

    def send_command(self, command):
        if not self.is_telnet:
            raise NotTelnetError("this connection is not telnet")
        self.calls.append(command)

    async def send_eof(self):
        self.calls.append("end")


def calls(*items, connection=None):
    connection = connection or Connection()
    seen = []
    outbox = Outbox(seen.append, lambda: connection.calls.append("ending"))
    for item in items:
        outbox.put(Outgoing(item))
    outbox.end()
    asyncio.run(outbox.send_to(connection))
    assert [outgoing.item for outgoing in seen] == list(items)
    assert connection.calls[-2:] == ["ending", "end"]
    return connection.calls[:-2]


def test_data_that_waits_together_is_sent_together_and_commands_in_their_place():
    assert calls(b"a", b"b", Command.AYT, b"c") == [b"ab", Command.AYT, b"c"]


def test_much_data_is_sent_in_parts():
    large = b"x" * (MAX_SEND + 1)
    assert calls(b"a", large, b"b") == [b"a" + large, b"b"]


def test_a_command_on_a_connection_that_turned_out_to_be_plain_is_dropped():
    assert calls(b"a", Command.AYT, b"b", connection=Connection(is_telnet=False)) == [
        b"a",
        b"b",
    ]


def test_what_is_discarded_is_counted_and_not_sent():
    outbox = Outbox(lambda _: None, lambda: None)
    for item in (b"a", b"b"):
        outbox.put(Outgoing(item))
    assert outbox.discard() == [Outgoing(b"a"), Outgoing(b"b")]
    connection = Connection()
    outbox.end()
    asyncio.run(outbox.send_to(connection))
    assert connection.calls == ["end"]


# Files


def upload(path, ends):
    return Upload(str(path), path.name, lambda upload, error: ends.append((upload.sent, error)))


def test_a_file_is_sent_in_parts_in_its_place_among_the_lines(tmp_path):
    data = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(data)
    connection, seen, ends = Connection(), [], []
    outbox = Outbox(seen.append, lambda: None)
    outbox.put(Outgoing(b"before"))
    outbox.put(Outgoing(upload(tmp_path / "file", ends)))
    outbox.put(Outgoing(b"after"))
    outbox.end()
    asyncio.run(outbox.send_to(connection))
    first, *parts, last, end = connection.calls
    assert (first, b"".join(parts), last, end) == (b"before", data, b"after", "end")
    assert max(map(len, parts)) <= CHUNK < len(data)
    told = [outgoing.item for outgoing in seen]
    assert b"".join(told) == b"before" + data + b"after"
    assert ends == [(len(data), None)]


def test_a_file_that_is_discarded_while_it_is_sent_stops_after_the_part(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 3 * CHUNK)
    ends = []
    outbox = Outbox(lambda _: None, lambda: None)

    class Discarding(Connection):
        async def send(self, data):
            (discarded,) = outbox.discard()
            self.calls.append(discarded.item.unsent)
            outbox.end()
            return await super().send(data)

    connection = Discarding()
    outbox.put(Outgoing(upload(tmp_path / "file", ends)))
    asyncio.run(outbox.send_to(connection))
    assert connection.calls == [2 * CHUNK, b"x" * CHUNK, "end"]
    assert outbox.discard() == []
    assert ends == []


@pytest.mark.parametrize("error", [None, NetworkError("lost")])
def test_a_file_that_the_peer_does_not_take_is_not_sent(tmp_path, error):
    (tmp_path / "file").write_bytes(b"x" * 3 * CHUNK)
    ends = []

    class ClosedAfterOne(Connection):
        async def send(self, data):
            await super().send(data)
            if error and len(self.calls) > 1:
                raise error
            return len(self.calls) == 1

    async def main():
        outbox = Outbox(lambda _: None, lambda: None)
        outbox.put(Outgoing(upload(tmp_path / "file", ends)))
        outbox.end()
        with suppress(NetworkError):
            await outbox.send_to(ClosedAfterOne())
        (left,) = outbox.discard()
        assert left.item.unsent == 2 * CHUNK
        assert ends == []

    asyncio.run(main())


def test_what_is_secret_is_known_while_it_is_sent_and_no_longer():
    outbox = Outbox(lambda _: None, lambda: None)
    states = []

    class Asking(Connection):
        async def send(self, data):
            states.append((data, outbox.is_secret))
            return await super().send(data)

        async def send_eof(self):
            states.append(("end", outbox.is_secret))

    async def main():
        outbox.put(Outgoing(b"pass", is_secret=True))
        outbox.put(Outgoing(Command.AYT))
        outbox.put(Outgoing(b"plain"))
        outbox.end()
        await outbox.send_to(Asking())

    asyncio.run(main())
    assert states == [(b"pass", True), (b"plain", False), ("end", False)]


def test_what_the_system_has_not_accepted_is_counted():
    class Closed(Connection):
        async def send(self, data):
            await super().send(data)
            return False

    async def main():
        outbox = Outbox(lambda _: None, lambda: None)
        for connection, count in [(Connection(), 0), (Closed(), 2)]:
            outbox.put(Outgoing(b"a"))
            outbox.put(Outgoing(b"b"))
            outbox.end()
            await outbox.send_to(connection)
            assert outbox.sending == count

    asyncio.run(main())


def test_the_end_is_nothing_that_is_discarded():
    async def main():
        outbox = Outbox(lambda _: None, lambda: None)
        outbox.put(Outgoing(b"a"))
        outbox.end()
        assert outbox.discard() == [Outgoing(b"a")]

    asyncio.run(main())
