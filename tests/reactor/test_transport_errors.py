"""What a program raises is logged once, and ends its own connection only."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol

from reactor.running import HalfCloseable, Recorder, only_uvloop
from support import receive_all

ERRORS = [ValueError("mine"), OSError("mine"), ConnectionResetError("mine")]


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


def goes_on(running, port):
    client = running.connect(port)
    client.sendall(b"hello")
    return client.recv(10) == b"hello"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["dataReceived", "readConnectionLost", "writeConnectionLost"])
def test_an_error_in_a_protocol_is_logged_and_the_reason_of_its_end(running, where, error):
    class Raises(HalfCloseable):
        pass

    def fail(*_):
        raise error

    setattr(Raises, where, fail)
    other, _ = running.pair(Echo)
    client, protocol = running.pair(Raises)
    if where == "writeConnectionLost":
        running.call(protocol.transport.loseWriteConnection)
    elif where == "readConnectionLost":
        client.shutdown(1)
    else:
        client.sendall(b"hello")
    assert protocol.why_lost() is error
    assert receive_all(client) == b""
    assert running.logged() == [error]
    other.sendall(b"still here")
    assert other.recv(100) == b"still here"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()],
                         ids=lambda error: type(error).__name__)  # fmt: skip
def test_not_even_an_error_that_ends_programs_ends_the_reactor(running, error):
    class Raises(Recorder):
        def dataReceived(self, _):
            raise error

    client, protocol = running.pair(Raises)
    client.sendall(b"hello")
    assert protocol.why_lost() is error
    assert running.logged() == [error]


@only_uvloop
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_when_connected_ends_the_connection(running, error):
    # Twisted's own connections stay open, and nobody knows of them.
    class Raises(Recorder):
        def connectionMade(self):
            raise error

    client, protocol = running.pair(Raises)
    assert protocol.why_lost() is error
    assert receive_all(client) == b""
    assert running.logged() == [error]


@only_uvloop
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_in_build_protocol_closes_that_connection_only(running, error):
    # Twisted's own port leaves it open until the garbage is collected.
    class Raises(Factory):
        noisy = False
        raised = False

        def buildProtocol(self, _):
            if not self.raised:
                self.raised = True
                raise error
            return Echo()

    port = running.listen(Raises())
    client = running.connect(port)
    assert receive_all(client) == b""
    assert running.logged() == [error]
    assert goes_on(running, port)


def test_a_factory_may_refuse_a_connection(running):
    class Refuses(Factory):
        noisy = False

        def buildProtocol(self, _):
            return None

    client = running.connect(running.listen(Refuses()))
    assert receive_all(client) == b""


def test_an_error_in_connection_lost_is_logged(running):
    class Raises(Recorder):
        def connectionLost(self, reason):
            super().connectionLost(reason)
            raise ValueError("mine")

    port = running.listen(Raises)
    client = running.connect(port)
    client.close()
    protocol = running.accepted()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    running.call(lambda: None)
    assert [str(error) for error in running.logged()] == ["mine"]


def test_an_error_of_a_producer_that_is_asked_for_more_ends_its_connection(running):
    class Fails:
        asked = 0

        def resumeProducing(self):
            self.asked += 1
            if self.asked > 1:
                raise ValueError("mine")
            protocol.transport.write(b"first")

        def stopProducing(self):
            pass

    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.registerProducer, Fails(), False)
    assert str(protocol.why_lost()) == "mine"
    assert receive_all(client) == b"first"
    assert [str(error) for error in running.logged()] == ["mine"]


@only_uvloop
def test_an_error_of_a_producer_that_is_stopped_hides_the_loss_from_nobody(running):
    # From Twisted's own connections it does hide it.
    class Fails:
        def stopProducing(self):
            raise ValueError("mine")

    client, protocol = running.pair(Recorder)
    running.call(protocol.transport.registerProducer, Fails(), True)
    client.close()
    assert isinstance(protocol.why_lost(), ConnectionDone)
    running.call(lambda: None)
    assert [str(error) for error in running.logged()] == ["mine"]


def test_what_is_unsent_is_lost_with_an_error(running):
    class Raises(Recorder):
        def dataReceived(self, _):
            self.transport.write(bytes(10_000_000))
            raise ValueError("mine")

    client, protocol = running.pair(Raises)
    client.sendall(b"hello")
    assert str(protocol.why_lost()) == "mine"
    assert len(receive_all(client)) < 10_000_000
    assert len(running.logged()) == 1


def test_an_error_after_abort_is_the_reason(running):
    class Raises(Recorder):
        def dataReceived(self, _):
            self.transport.abortConnection()
            raise ValueError("mine")

    client, protocol = running.pair(Raises)
    client.sendall(b"hello")
    error = protocol.why_lost()
    assert len(running.logged()) == 1
    assert not isinstance(error, ConnectionLost)
    assert str(error) == "mine"
