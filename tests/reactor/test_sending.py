"""What is written, and the ways to close."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from reactor.running import HalfCloseable, Recorder, only_uvloop
from support import DEADLINE, receive_all, receive_exactly

MUCH = bytes(range(256)) * 40_000  # ten megabytes, more than sockets hold
CHUNK = MUCH[: 1 << 16]


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_what_is_written_arrives_in_order(running):
    class Talks(Recorder):
        def connectionMade(self):
            self.transport.write(b"one ")
            self.transport.writeSequence([b"two ", b"three ", b""])
            self.transport.write(b"")
            self.transport.writeSequence([])
            self.transport.write(b"four")
            self.transport.loseConnection()

    client, protocol = running.pair(Talks)
    assert receive_all(client) == b"one two three four"
    assert isinstance(protocol.why_lost(), ConnectionDone)


@pytest.mark.parametrize("data", ["text", 5])
def test_only_bytes_can_be_written(running, data):
    client, protocol = running.pair(Recorder)
    with pytest.raises(TypeError):
        running.call(protocol.transport.write, data)
    with pytest.raises(TypeError):
        running.call(protocol.transport.writeSequence, [b"bytes", data])
    running.call(protocol.transport.loseConnection)
    assert receive_all(client) == b""


@pytest.mark.parametrize("data", ["", None, [5]])
def test_nothing_else_can_be_written_be_it_empty(running, data):
    client, protocol = running.pair(Recorder)
    with pytest.raises(TypeError):
        running.call(protocol.transport.write, data)
    running.call(protocol.transport.loseConnection)
    assert receive_all(client) == b""


@only_uvloop
@pytest.mark.parametrize("wrap", [bytearray, lambda data: memoryview(bytearray(data))])
def test_a_buffer_is_sent_as_it_was_when_it_was_written(running, wrap):
    # Twisted's own connections take only bytes.
    class Talks(Recorder):
        def connectionMade(self):
            buffer = wrap(MUCH)
            self.transport.write(buffer)
            self.transport.writeSequence([buffer, b"and ", memoryview(buffer)[::2]])
            buffer[:] = bytes(len(MUCH))
            self.transport.loseConnection()

    client, _ = running.pair(Talks)
    assert receive_all(client) == MUCH + MUCH + b"and " + MUCH[::2]


@only_uvloop
def test_only_bytes_can_be_written_whatever_has_happened(running):
    client, protocol = running.pair(HalfCloseable)
    transport = protocol.transport

    def refuses():
        for write, data in ((transport.write, "text"), (transport.writeSequence, ["text"])):
            with pytest.raises(TypeError, match="Data must be bytes"):
                running.call(write, data)

    refuses()
    running.call(transport.loseWriteConnection)
    refuses()
    assert receive_all(client) == b""
    refuses()
    client.close()
    protocol.read_lost.result(DEADLINE)
    running.call(transport.loseConnection)
    protocol.why_lost()
    refuses()


def test_a_write_after_lose_connection_in_the_same_turn_goes_out(running):
    class Talks(Recorder):
        def connectionMade(self):
            self.transport.loseConnection()
            self.transport.write(b"after all")

    client, _ = running.pair(Talks)
    assert receive_all(client) == b"after all"


def test_what_is_written_after_the_loss_is_dropped(running):
    client, protocol = running.pair(Recorder)
    client.close()
    protocol.why_lost()
    transport = protocol.transport
    for write in (transport.write, transport.writeSequence):
        running.call(write, b"gone" if write == transport.write else [b"gone"])
    methods = "loseConnection abortConnection unregisterProducer stopConsuming stopProducing"
    for method in [*methods.split(), "pauseProducing", "resumeProducing"]:
        running.call(getattr(transport, method))
    assert protocol.calls == ["lost"]


def test_the_descriptor_of_a_lost_connection_is_minus_one(running):
    client, protocol = running.pair(Recorder)
    client.close()
    protocol.why_lost()
    assert running.call(protocol.transport.fileno) == -1


def test_a_write_that_was_kept_can_be_called_after_the_loss(running):
    client, protocol = running.pair(Recorder)
    write = running.call(lambda: protocol.transport.write)
    client.close()
    protocol.why_lost()
    running.call(write, b"gone")


def test_all_arrives_before_the_end_at_a_slow_reader(running):
    class Talks(Recorder):
        def connectionMade(self):
            for _ in range(5):
                self.transport.write(MUCH)
            self.transport.loseConnection()

    client, protocol = running.pair(Talks)
    assert receive_exactly(client, 10) == MUCH[:10]
    assert not protocol.lost.done()
    assert receive_all(client) == (MUCH * 5)[10:]
    assert isinstance(protocol.why_lost(), ConnectionDone)


def test_lose_connection_hears_no_more(running):
    class Talks(Recorder):
        def connectionMade(self):
            self.transport.write(MUCH)
            self.transport.loseConnection()

    client, protocol = running.pair(Talks)
    client.sendall(b"nobody listens")
    with suppress(ConnectionResetError):  # what is unread makes the system reset the connection
        receive_all(client)
    protocol.why_lost()
    assert protocol.received == b""


@pytest.mark.parametrize("halves", [False, True])
def test_unread_data_costs_the_client_neither_the_reply_nor_its_end(running, halves):
    class Refuses(Recorder):
        def dataReceived(self, data):
            super().dataReceived(data)
            self.transport.pauseProducing()

        def refuse(self):
            self.transport.write(b"too much")
            if halves:
                self.transport.loseWriteConnection()
                running.reactor.callLater(0, self.transport.loseConnection)
            else:
                self.transport.loseConnection()

    port = running.listen(Refuses)
    clients = [running.connect(port) for _ in range(50)]
    for client in clients:
        client.setblocking(False)
        with suppress(BlockingIOError):
            while client.send(CHUNK):
                pass
        client.settimeout(DEADLINE)
    for _ in clients:
        running.call(running.accepted().refuse)
    assert [receive_all(client) for client in clients] == [b"too much"] * 50


@only_uvloop
def test_unread_data_costs_the_client_no_part_of_a_long_reply(running):
    # Twisted's own connections are reset.
    class Talks(Recorder):
        def connectionMade(self):
            self.transport.pauseProducing()

    port = running.listen(Talks)
    for _ in range(5):
        client = running.connect(port)
        transport = running.accepted().transport
        client.sendall(b"nobody listens")
        running.call(lambda: (transport.write(MUCH), transport.loseConnection()))  # noqa: B023
        assert receive_all(client) == MUCH


def test_an_early_end_of_the_client_loses_nothing_that_is_written_before_lose_connection(running):
    class Talks(Recorder):
        def connectionMade(self):
            self.transport.write(MUCH)
            self.transport.loseConnection()

    port = running.listen(Talks)
    for _ in range(5):
        client = running.connect(port)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == MUCH
        client.close()


def test_abort_resets_the_connection_and_drops_what_is_not_sent(running):
    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.write, MUCH)
    running.call(protocol.transport.abortConnection)
    assert isinstance(protocol.why_lost(), ConnectionAborted)
    with pytest.raises(ConnectionResetError):
        receive_all(client)
    assert protocol.calls == ["lost"]


def test_abort_is_not_heard_of_within_its_own_call(running):
    client, protocol = running.pair(Recorder)

    def abort():
        protocol.transport.abortConnection()
        protocol.transport.abortConnection()
        return protocol.lost.done()

    assert not running.call(abort)
    assert isinstance(protocol.why_lost(), ConnectionAborted)
    with pytest.raises(ConnectionResetError):
        receive_all(client)


def test_abort_ends_a_connection_that_waits_to_be_lost(running):
    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.write, MUCH)
    running.call(protocol.transport.loseConnection)
    running.call(protocol.transport.abortConnection)
    assert isinstance(protocol.why_lost(), ConnectionAborted)
    with pytest.raises(ConnectionResetError):
        receive_all(client)


def test_a_reset_is_connection_lost(running):
    client, protocol = running.pair(Recorder)
    reset(client)
    assert type(protocol.why_lost()) is ConnectionLost


def test_a_reset_while_much_is_unsent_is_connection_lost(running):
    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.write, MUCH)
    running.call(protocol.transport.loseConnection)
    reset(client)
    assert type(protocol.why_lost()) is ConnectionLost


@pytest.mark.parametrize("protocol", [Recorder, HalfCloseable])
def test_a_reset_is_the_end_of_every_kind_of_protocol(running, protocol):
    client, protocol = running.pair(protocol)
    reset(client)
    assert type(protocol.why_lost()) is ConnectionLost
    assert protocol.calls == ["lost"]


def test_the_end_of_the_client_is_connection_done(running):
    client, protocol = running.pair(Recorder)
    client.shutdown(socket.SHUT_WR)
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert receive_all(client) == b""


def test_a_protocol_that_can_half_close_writes_on_after_the_end_of_the_client(running):
    client, protocol = running.pair(HalfCloseable)
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    protocol.read_lost.result(10)
    assert protocol.received == b"question"
    running.call(protocol.transport.write, MUCH)
    running.call(protocol.transport.loseConnection)
    assert receive_all(client) == MUCH
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.calls == ["read lost", "lost"]


def test_a_protocol_that_half_closes_hears_on(running):
    client, protocol = running.pair(HalfCloseable)
    running.call(protocol.transport.write, b"last words")
    running.call(protocol.transport.loseWriteConnection)
    assert receive_all(client) == b"last words"
    protocol.write_lost.result(10)
    running.call(protocol.transport.write, b"unheard")
    client.sendall(b"still here")
    client.close()
    protocol.read_lost.result(10)
    assert protocol.received == b"still here"
    running.call(protocol.transport.loseConnection)
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.calls == ["write lost", "read lost", "lost"]


def test_half_close_waits_until_all_is_sent(running):
    client, protocol = running.pair(HalfCloseable)
    running.call(protocol.transport.write, MUCH)
    running.call(protocol.transport.loseWriteConnection)
    running.call(protocol.transport.loseWriteConnection)
    assert "write lost" not in protocol.calls
    assert receive_all(client) == MUCH
    protocol.write_lost.result(10)
    running.call(protocol.transport.loseConnection)
    protocol.why_lost()
    assert protocol.calls == ["write lost", "lost"]


def test_a_protocol_that_cannot_half_close_may_do_so(running):
    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.write, b"bye")
    running.call(protocol.transport.loseWriteConnection)
    assert receive_all(client) == b"bye"
    client.sendall(b"heard")
    client.close()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.received == b"heard"


def test_lose_connection_when_told_that_the_write_side_is_closed(running):
    class Closes(HalfCloseable):
        def connectionMade(self):
            self.transport.loseWriteConnection()

        def writeConnectionLost(self):
            super().writeConnectionLost()
            self.transport.loseConnection()

    client, protocol = running.pair(Closes)
    assert receive_all(client) == b""
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.calls == ["write lost", "lost"]


def test_half_close_and_lose_connection_in_one_turn_is_lose_connection(running):
    class Closes(HalfCloseable):
        def connectionMade(self):
            self.transport.write(b"bye")
            self.transport.loseWriteConnection()
            self.transport.loseConnection()

    client, protocol = running.pair(Closes)
    assert receive_all(client) == b"bye"
    assert isinstance(protocol.why_lost(), ConnectionDone)
    assert protocol.calls == ["lost"]


@pytest.mark.parametrize("protocol", [Recorder, HalfCloseable])
def test_when_the_reactor_stops_every_connection_is_lost_and_closed(running, protocol):
    client, protocol = running.pair(protocol)
    running.stop()
    assert type(protocol.lost.result(0)) is ConnectionLost
    assert receive_all(client) == b""
