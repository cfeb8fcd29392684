"""An echo server on asyncio's streams: reads a line, and sends it back."""

from __future__ import annotations

import asyncio

import uvloop
from arguments import BACKLOG, arguments, ready, ssl_context


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def main(tls):
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=BACKLOG, ssl=ssl_context(tls))
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


given = arguments()
with asyncio.Runner(loop_factory=uvloop.new_event_loop if given.uvloop else None) as runner:
    runner.run(main(given.tls))
