"""An echo server of the standard library's socketserver: a thread for each connection."""

from __future__ import annotations

from socketserver import StreamRequestHandler, ThreadingTCPServer

from arguments import BACKLOG, ready


class Echo(StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)


class Server(ThreadingTCPServer):
    request_queue_size = BACKLOG
    daemon_threads = True


with Server(("127.0.0.1", 0), Echo) as server:
    ready(server.server_address[1])
    server.serve_forever()
