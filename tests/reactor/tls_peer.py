"""A TLS client that can do what Python's own cannot: half-close, and leave its bytes to others."""

from __future__ import annotations

import socket

from OpenSSL import SSL


class TLSPeer:
    """A TLS client on a socket. It half-closes, and can send its first bytes behind others."""

    def __init__(self, sock):
        self.sock = sock
        self._tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self._tls.set_connect_state()
        self.is_clean = None  # once the server has ended: by close_notify?

    def hello(self):
        """The first bytes of the handshake."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return self._out()

    def handshake(self):
        """Shake hands, to the end."""
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self.flush()
                self._read()
            else:
                return self.flush()

    def encrypt(self, data):
        """The bytes that send it, for someone else to put on the wire."""
        wire = bytearray()
        for start in range(0, len(data), 16384):
            self._tls.send(data[start : start + 16384])
            wire += self._out()
        return bytes(wire)

    def encrypted_end(self):
        """The bytes of close_notify."""
        self._tls.shutdown()
        return self._out()

    def sendall(self, data):
        self.sock.sendall(self.encrypt(data))

    def receive(self):
        """What comes next; b"" when the server has ended."""
        while True:
            try:
                return self._tls.recv(1 << 16)
            except SSL.WantReadError:
                if not self._read():
                    self.is_clean = False
                    return b""
            except SSL.ZeroReturnError:
                self.is_clean = True
                return b""

    def receive_exactly(self, count):
        data = bytearray()
        while len(data) < count:
            more = self.receive()
            assert more, f"ended after {bytes(data[:100])}"
            data += more
        assert len(data) == count, bytes(data)
        return bytes(data)

    def receive_all(self):
        data = bytearray()
        while more := self.receive():
            data += more
        return bytes(data)

    def notify_close(self):
        """End our side of TLS."""
        self.sock.sendall(self.encrypted_end())

    def end_tcp(self):
        """End our side of TCP, and not that of TLS."""
        self.sock.shutdown(socket.SHUT_WR)

    def flush(self):
        self.sock.sendall(self._out())

    def _out(self):
        out = b""
        while True:
            try:
                out += self._tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return out

    def _read(self):
        data = self.sock.recv(1 << 16)
        if data:
            self._tls.bio_write(data)
        return len(data)
