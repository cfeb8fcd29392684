"""An echo server on gevent: a greenlet for each connection, recv and sendall."""

from __future__ import annotations

from arguments import BACKLOG, arguments, ready
from gevent.server import StreamServer


def echo(sock, _address):
    while data := sock.recv(65536):
        sock.sendall(data)


files = dict(zip(("certfile", "keyfile"), arguments().tls or (), strict=False))
server = StreamServer(("127.0.0.1", 0), echo, backlog=BACKLOG, **files)
server.start()
ready(server.server_port)
server.serve_forever()
