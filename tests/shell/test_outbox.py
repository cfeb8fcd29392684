"""What waits to be sent: in which order it goes out, and what is dropped."""

from __future__ import annotations

import asyncio

from echoproto.errors import NotTelnetError
from echoproto.shell.outbox import MAX_SEND, Outbox, Outgoing
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
    outbox = Outbox(seen.append)
    for item in items:
        outbox.put(Outgoing(item))
    outbox.end()
    asyncio.run(outbox.send_to(connection))
    assert [outgoing.item for outgoing in seen] == list(items)
    return connection.calls


def test_data_that_waits_together_is_sent_together_and_commands_in_their_place():
    assert calls(b"a", b"b", Command.AYT, b"c") == [b"ab", Command.AYT, b"c", "end"]


def test_much_data_is_sent_in_parts():
    large = b"x" * (MAX_SEND + 1)
    assert calls(b"a", large, b"b") == [b"a" + large, b"b", "end"]


def test_a_command_on_a_connection_that_turned_out_to_be_plain_is_dropped():
    assert calls(b"a", Command.AYT, b"b", connection=Connection(is_telnet=False)) == [
        b"a",
        b"b",
        "end",
    ]


def test_what_is_discarded_is_counted_and_not_sent():
    outbox = Outbox(lambda _: None)
    for item in (b"a", b"b"):
        outbox.put(Outgoing(item))
    assert outbox.discard() == 2
    connection = Connection()
    outbox.end()
    asyncio.run(outbox.send_to(connection))
    assert connection.calls == ["end"]


def test_what_the_system_has_not_accepted_is_counted():
    class Closed(Connection):
        async def send(self, data):
            await super().send(data)
            return False

    async def main():
        outbox = Outbox(lambda _: None)
        for connection, count in [(Connection(), 0), (Closed(), 2)]:
            outbox.put(Outgoing(b"a"))
            outbox.put(Outgoing(b"b"))
            outbox.end()
            await outbox.send_to(connection)
            assert outbox.sending == count

    asyncio.run(main())


def test_the_end_is_nothing_that_is_discarded():
    async def main():
        outbox = Outbox(lambda _: None)
        outbox.put(Outgoing(b"a"))
        outbox.end()
        assert outbox.discard() == 1

    asyncio.run(main())
