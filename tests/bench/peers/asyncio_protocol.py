"""An echo server as an asyncio Protocol: sends back what is received."""

from __future__ import annotations

import asyncio

import uvloop
from arguments import BACKLOG, arguments, ready, ssl_context


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main(tls):
    server = await asyncio.get_running_loop().create_server(
        Echo, "127.0.0.1", 0, backlog=BACKLOG, ssl=ssl_context(tls)
    )
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


given = arguments()
with asyncio.Runner(loop_factory=uvloop.new_event_loop if given.uvloop else None) as runner:
    runner.run(main(given.tls))
