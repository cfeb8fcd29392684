"""The client, on asyncio: connect, send, receive. Knows `wire`, and nothing of Twisted."""
