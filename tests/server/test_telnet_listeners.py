"""Telnet on TLS, on Unix sockets, and after STARTTLS."""

from __future__ import annotations

import socket
import ssl

import pytest
from twisted.internet.ssl import PrivateCertificate

from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol
from echoproto.server.registry import Registry
from support import DEADLINE, connect, receive_all, receive_exactly
from telnet_bytes import (
    AYT,
    DO,
    EOF,
    HELLO,
    IAC,
    NO_THANKS,
    PUTTY,
    SGA,
    TO_PUTTY,
    WONT,
)

YES_I_AM = b"\r\n[yes, the echo server is here]\r\n"


def trusting(certificate):
    """A client's context that accepts this certificate for any host."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    return context


def test_with_telnet_always_on_tls_eof_ends_the_connection(certificate, serve):
    where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    with serve("--telnet", "always", listen=[where]) as server:
        with trusting(certificate).wrap_socket(connect(server.port)) as sock:
            sock.sendall(b"hello\n" + EOF)
            assert receive_all(sock) == b"hello\r\n"
        assert "Traceback" not in server.stop()


def test_telnet_on_tls(tls_server, certificate):
    with trusting(certificate).wrap_socket(connect(tls_server.port)) as sock:
        sock.sendall(b"plain\n" + PUTTY + b"hello\n" + IAC * 2 + b"\r\0" + AYT)
        expected = b"plain\n" + TO_PUTTY + b"hello\r\n" + IAC * 2 + b"\r\n" + YES_I_AM
        assert receive_exactly(sock, len(expected)) == expected
        sock.sendall(b"bye" + EOF)
        assert receive_all(sock) == b"bye"


def test_telnet_on_a_unix_socket(tmp_path, serve):
    path = tmp_path / "echo.sock"
    with serve(listen=[f"unix:{path}"]) as server:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(str(path))
            sock.sendall(b"plain\n" + PUTTY + b"hello\n" + IAC * 2)
            expected = b"plain\n" + TO_PUTTY + b"hello\r\n" + IAC * 2
            assert receive_exactly(sock, len(expected)) == expected
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b""
        assert "Traceback" not in server.stop()


class StartTLS(LineProtocol):
    """Goes on with TLS, Twisted's own, where a line asks for it."""

    context = None

    def lineReceived(self, line):
        match line:
            case b"starttls":
                self.sendLine(b"go ahead")
                self.transport.startTLS(self.context)
            case b"quit":
                self.sendLine(b"\xff" * 1_000_000)
                self.transport.loseConnection()
            case _:
                self.sendLine(line)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
def test_start_tls_in_a_telnet_connection(running, certificate):
    context = PrivateCertificate.loadPEM(certificate.read_bytes()).options()
    protocol = type("Starting", (StartTLS,), {"context": context})
    sock = running.connect(running.listen(running.keep(LineFactory(protocol, Registry()))))
    sock.sendall(HELLO + b"starttls\r\n")
    answer = NO_THANKS + b"go ahead\r\n"
    assert receive_exactly(sock, len(answer)) == answer
    with trusting(certificate).wrap_socket(sock) as secure:
        secure.sendall(b"\xff\xff\r\0" + IAC + DO + SGA)
        answer = b"\xff\xff\r\n" + IAC + WONT + SGA
        assert receive_exactly(secure, len(answer)) == answer
        secure.sendall(b"quit\r\n")
        assert len(receive_all(secure)) == 2_000_002
