"""What is on the wire: framing and dumps. No sockets, no clock, no Twisted, no asyncio."""
