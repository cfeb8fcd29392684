"""The TLS layer: two of them back to back, and one with OpenSSL's own programs."""

from __future__ import annotations

import os
import socket
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoproto.wire.layer import DataReceived, Ended, Pipeline, Reply
from echoproto.wire.tls import TLS, HandshakeCompleted
from support import DEADLINE, program, watched

LARGE = os.urandom(5 << 20)

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SIDES = ["client", "server"]


class End:
    """One end of a connection: what it wants to send, what it received, and what happened."""

    def __init__(self, layer, *, straight=False):
        self.layer = layer
        self._straight = straight  # it takes data the straight way, and the rest by events
        self.to_send = self.received = b""
        self.happened = []

    def take(self, data, *, eof=False):
        if self._straight and data:
            plain, data = self.layer.take(data), b""
            self.received += plain or b""
            if plain is not None and not self.layer.has_more:
                return
        for event in self.layer.eof() if eof else self.layer.receive(data):
            match event:
                case Reply(reply):
                    self.to_send += reply
                case DataReceived(plain):
                    self.received += plain
                case _:
                    self.happened.append(event)

    def send(self, data):
        self.to_send += self.layer.send(data)

    def finish(self):
        self.to_send += self.layer.finish()

    def leave(self):
        data, self.to_send = self.to_send, b""
        return data


def client_context(certificate, version=None):
    context = ssl.create_default_context(cafile=certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def version(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["by events", "straight"])
def ends(request, version, certificate):
    """A client and a server that have not begun."""
    client = TLS(
        client_context(certificate, version), server_side=False, server_hostname="localhost"
    )
    server = TLS(server_context(certificate), server_side=True)
    return End(client, straight=request.param), End(server, straight=request.param)


def sides(ends, name):
    """The end of that name, and the other."""
    return ends if name == "client" else ends[::-1]


def pump(client, server, cut=1 << 30):
    """Carry all that they want to send, `cut` bytes at a time, until there is no more."""
    client.take(b"")
    while client.to_send or server.to_send:
        for sender, receiver in ((client, server), (server, client)):
            data = sender.leave()
            for at in range(0, len(data), cut):
                receiver.take(data[at : at + cut])


def connected(ends):
    pump(*ends)
    assert all(end.happened == [HandshakeCompleted()] for end in ends)
    return ends


# The handshake


def test_the_client_begins_with_a_reply_of_its_own(ends):
    client, server = ends
    server.take(b"")
    assert server.to_send == b""
    client.take(b"")
    assert client.to_send.startswith(b"\x16\x03")  # a record of the handshake
    assert client.happened == []
    assert not client.layer.is_established


def test_both_are_told_once_that_the_handshake_is_done(ends):
    client, server = connected(ends)
    assert client.layer.is_established
    assert server.layer.is_established


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_however_it_is_cut_the_same_arrives(ends, cut):
    client, server = ends
    client.send(b"question")
    server.send(b"greeting")
    pump(client, server, cut)
    client.send(LARGE[:50_000])
    client.finish()
    server.send(LARGE[-50_000:])
    server.finish()
    pump(client, server, cut)
    assert server.received == b"question" + LARGE[:50_000]
    assert client.received == b"greeting" + LARGE[-50_000:]
    assert client.happened == server.happened == [HandshakeCompleted(), Ended()]


@settings(max_examples=50)
@given(data=st.data())
def test_an_iterator_may_be_dropped_at_any_event(certificate, data):
    version = data.draw(st.sampled_from(VERSIONS))
    client, server = ends = (
        End(TLS(client_context(certificate, version), server_side=False,
                server_hostname="localhost")),
        End(TLS(server_context(certificate), server_side=True)),
    )  # fmt: skip
    for end in ends:
        end.send(b"1" * 20_000)
        end.send(b"2")
        end.finish()

    def take(end, arrived):
        events = end.layer.receive(arrived)
        while (event := next(events, None)) is not None:
            match event:
                case Reply(reply):
                    end.to_send += reply
                case DataReceived(plain):
                    end.received += plain
                case _:
                    end.happened.append(event)
            if data.draw(st.booleans()):
                events = end.layer.receive(b"")

    take(client, b"")
    while client.to_send or server.to_send:
        take(server, client.leave())
        take(client, server.leave())
    for end in ends:
        assert end.received == b"1" * 20_000 + b"2"
        assert end.happened == [HandshakeCompleted(), Ended()]


@pytest.mark.parametrize("side", SIDES)
def test_what_is_sent_before_the_handshake_arrives_in_order_and_encrypted(ends, side):
    sender, receiver = sides(ends, side)
    wire = b""
    sender.send(b"secret one, ")
    sender.send(b"secret two, ")
    assert sender.to_send == b""
    ends[0].take(b"")
    while ends[0].to_send or ends[1].to_send:
        for one, other in (ends, ends[::-1]):
            wire += one.to_send
            other.take(one.leave())
    sender.send(b"secret three")
    receiver.take(sender.to_send)
    wire += sender.leave()
    assert receiver.received == b"secret one, secret two, secret three"
    assert b"secret" not in wire


@pytest.mark.parametrize("side", SIDES)
def test_an_end_that_is_asked_for_before_the_handshake_comes_after_the_data(ends, side):
    sender, receiver = sides(ends, side)
    sender.send(b"all of it")
    sender.finish()
    assert not sender.layer.is_finished
    pump(*ends)
    assert sender.layer.is_finished
    assert receiver.received == b"all of it"
    assert receiver.happened == [HandshakeCompleted(), Ended()]


@pytest.mark.parametrize("side", SIDES)
def test_what_comes_with_the_last_message_of_the_handshake_is_not_lost(ends, side):
    sender, receiver = sides(ends, side)
    ends[0].take(b"")
    while not sender.layer.is_established:
        receiver.take(sender.leave())
        sender.take(receiver.leave())
    # What is left of the handshake is not taken yet: the data goes with it.
    sender.send(b"pipelined")
    sender.finish()
    pump(*ends)
    assert receiver.received == b"pipelined"
    assert receiver.happened == [HandshakeCompleted(), Ended()]


# Data


def test_small_and_large_and_empty_go_both_ways(ends):
    client, server = connected(ends)
    for data in (b"x", b"", LARGE[: 1 << 14], LARGE[: (1 << 14) + 1], LARGE, b"y"):
        client.send(data)
        pump(client, server)
        server.send(server.received)
        server.received = b""
        pump(client, server)
        assert client.received == data
        client.received = b""


def test_what_arrived_may_wait_and_is_given_later(ends):
    client, server = connected(ends)
    client.send(b"one")
    client.send(b"two")
    events = server.layer.receive(client.leave())
    assert next(events) == DataReceived(b"one")
    events.close()
    assert [*server.layer.receive(b"")] == [DataReceived(b"two")]


def test_as_a_layer_of_a_pipeline_it_encrypts_what_others_reply(ends):
    client, server = connected(ends)
    assert [*Pipeline([server.layer]).receive(client.layer.send(b"hello"))] == [
        DataReceived(b"hello")
    ]
    assert [*client.layer.receive(Pipeline([server.layer]).send(b"echo"))] == [
        DataReceived(b"echo")
    ]


# The end


@pytest.mark.parametrize("side", SIDES)
def test_after_its_end_it_receives_many_records_more(ends, side):
    first, second = sides(connected(ends), side)
    first.send(b"the last")
    first.finish()
    first.send(b"dropped")
    first.finish()
    pump(*ends)
    assert second.received == b"the last"
    assert second.happened == [HandshakeCompleted(), Ended()]
    assert first.happened == [HandshakeCompleted()]
    for _ in range(3):
        second.send(LARGE[:100_000])
        pump(*ends)
    second.finish()
    pump(*ends)
    assert first.received == LARGE[:100_000] * 3
    assert first.happened == [HandshakeCompleted(), Ended()]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("cut", [1, 3, 10_000])
def test_to_end_loses_nothing_of_what_has_arrived_and_waits(ends, side, cut):
    first, second = sides(connected(ends), side)
    second.send(b"one")
    second.send(LARGE[:40_000])
    arrived = second.leave()
    events = first.layer.receive(arrived[:-cut])
    assert next(events) == DataReceived(b"one")
    events.close()
    first.finish()
    first.take(arrived[-cut:])
    second.finish()
    pump(*ends)
    assert first.received == LARGE[:40_000]
    assert first.happened == second.happened == [HandshakeCompleted(), Ended()]


@pytest.mark.parametrize("side", SIDES)
def test_what_comes_after_close_notify_is_ignored(ends, side):
    first, second = sides(connected(ends), side)
    first.finish()
    second.take(first.leave() + b"\x17\x03\x03\x00\x20" + bytes(32))
    second.take(b"no TLS at all")
    second.take(b"", eof=True)
    assert second.received == b""
    assert second.happened == [HandshakeCompleted(), Ended()]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("part", [b"", b"\x17\x03\x03\x00"], ids=["between", "within a record"])
def test_tcp_that_ends_without_close_notify_is_no_clean_end(ends, side, part):
    first, second = sides(connected(ends), side)
    first.send(b"cut off")
    second.take(first.leave() + part)
    second.take(b"", eof=True)
    second.take(b"", eof=True)
    assert second.received == b"cut off"
    assert second.happened == [HandshakeCompleted(), Ended(clean=False)]
    second.send(b"answer")
    second.finish()
    first.take(second.leave())
    assert (first.received, first.happened[1:]) == (b"answer", [Ended()])


# Peers that are not as they should be


ALERT = b"\x15\x03"


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("said", [b"220 mail.example ESMTP\r\n", bytes(100), b"GET / HTTP/1.0\r\n"])
def test_a_peer_that_does_not_speak_tls_is_an_error(ends, side, said):
    end, _ = sides(ends, side)
    end.take(b"")
    end.leave()
    with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|HTTP_REQUEST"):
        end.take(said)
    assert not end.to_send or end.to_send.startswith(ALERT)  # OpenSSL 3.0 says nothing to it


@pytest.mark.parametrize("side", SIDES)
def test_a_peer_that_does_the_handshake_wrong_gets_an_alert_before_the_error(ends, side):
    end, _ = sides(ends, side)
    end.take(b"")
    end.leave()
    with pytest.raises(ssl.SSLError, match="UNEXPECTED_MESSAGE"):
        end.take(b"\x16\x03\x01\x00\x05hello")
    assert end.to_send.startswith(ALERT)
    assert end.happened == []


def test_a_client_learns_that_the_server_is_not_trusted_and_so_does_the_server(certificate):
    client = End(TLS(ssl.create_default_context(), server_side=False, server_hostname="localhost"))
    server = End(TLS(server_context(certificate), server_side=True))
    client.take(b"")
    server.take(client.leave())
    with pytest.raises(ssl.SSLCertVerificationError):
        client.take(server.leave())
    with pytest.raises(ssl.SSLError, match="ALERT"):
        server.take(client.leave())


@pytest.mark.parametrize("side", SIDES)
def test_a_peer_that_ends_in_the_handshake_is_an_error(ends, side):
    end, _ = sides(ends, side)
    end.take(b"")
    with pytest.raises(ssl.SSLEOFError):
        end.take(b"", eof=True)


@pytest.mark.parametrize("side", SIDES)
def test_a_record_that_was_changed_is_an_error_after_what_came_before_it(ends, side):
    first, second = sides(connected(ends), side)
    first.send(b"good")
    good = first.leave()
    first.send(b"bad")
    bad = bytearray(first.leave())
    bad[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        second.take(good + bad)
    assert second.received == b"good"
    assert second.to_send.startswith((ALERT, b"\x17\x03"))  # TLS 1.3 encrypts the alert


# With OpenSSL's own server, which can ask for new keys


@pytest.fixture
def openssl(certificate, request):
    """`openssl s_server` of one TLS version: its process, its output, and our end of it."""
    option, version = request.param
    with watched(
        program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", certificate,
        "-key", certificate, option,
    ) as (process, output):  # fmt: skip
        (found,) = output.wait_for(r"ACCEPT .*:(\d+)")
        context = client_context(certificate, version)
        client = End(TLS(context, server_side=False, server_hostname="localhost"))
        with socket.create_connection(("127.0.0.1", int(found[1])), DEADLINE) as sock:
            yield process, output, client, sock


def exchange(client, sock, until):
    """Send what there is to send, and receive, until that holds."""
    client.take(b"")
    while True:
        sock.sendall(client.leave())
        if until():
            return
        data = sock.recv(65536)
        assert data
        client.take(data)


def types(process, text):
    process.stdin.write(text)
    process.stdin.flush()


@pytest.mark.parametrize(
    "openssl", [("-tls1_3", ssl.TLSVersion.TLSv1_3)], ids=["TLSv1_3"], indirect=True
)
@pytest.mark.parametrize("key", [b"k\n", b"K\n"], ids=["its", "both"])
def test_new_keys_are_agreed_while_data_goes_on(openssl, key):
    process, output, client, sock = openssl
    client.send(b"up\n")
    exchange(client, sock, lambda: client.layer.is_established)
    output.wait_for("^up")
    types(process, b"down\n")
    exchange(client, sock, lambda: client.received == b"down\n")
    sizes = []
    for number in range(3):
        types(process, key)
        client.take(sock.recv(65536))
        client.send(b"up %d\n" % number)
        sizes.append(len(client.to_send))
        sock.sendall(client.leave())
        output.wait_for(f"^up {number}")
        types(process, b"down %d\n" % number)
        exchange(client, sock, lambda last=b"down %d\n" % number: client.received.endswith(last))
    assert client.received == b"down\ndown 0\ndown 1\ndown 2\n"
    client.send(b"up 3\n")
    # OpenSSL tells of its own new keys with the next data, not before.
    assert all((size > len(client.to_send)) is (key == b"K\n") for size in sizes)


@pytest.mark.parametrize(
    "openssl", [("-tls1_2", ssl.TLSVersion.TLSv1_2)], ids=["TLSv1_2"], indirect=True
)
@pytest.mark.parametrize("during", [[], [b"during 1\n", b"during 2\n"]], ids=["the end", "data"])
def test_what_is_sent_while_keys_are_renegotiated_waits(openssl, during):
    process, output, client, sock = openssl
    client.send(b"before\n")
    exchange(client, sock, lambda: client.layer.is_established)
    output.wait_for("^before")
    types(process, b"r\n")
    client.take(sock.recv(65536))  # it asks for a handshake
    begun = client.leave()
    for data in during:
        client.send(data)
    client.finish()
    assert begun
    assert client.to_send == b""
    assert not client.layer.is_finished
    sock.sendall(begun)
    exchange(client, sock, lambda: client.layer.is_finished)
    output.wait_for(b"".join([*during, b"DONE"]).decode())


def test_a_record_that_is_not_right_is_told_by_the_events_that_follow(ends):
    client, server = connected(ends)
    wire = client.layer.send(b"hello")
    assert server.layer.take(wire[:-1] + bytes([wire[-1] ^ 1])) is None
    with pytest.raises(ssl.SSLError):
        list(server.layer.receive(b""))


def test_what_cannot_be_sent_yet_is_counted(ends):
    client, _ = ends
    assert client.layer.pending == 0
    client.send(b"hello")
    assert client.layer.pending == 5


@pytest.mark.parametrize("side", SIDES)
def test_close_notify_that_comes_alone_is_a_clean_end(ends, side):
    first, second = sides(connected(ends), side)
    first.finish()
    second.take(first.leave())
    assert second.happened[-1] == Ended(clean=True)
