"""The client, on asyncio: connect, send, receive. Knows `wire`, not `server`, `shell` or Twisted."""
