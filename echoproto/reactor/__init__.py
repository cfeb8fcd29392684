"""A Twisted reactor on uvloop, for any Twisted program. It imports no other part of echoproto.

From the top down:

- `reactor` is the reactor, and installs it (`twistd --reactor uvloop`).
- `port` listens, and accepts connections.
- `transport` is a connection. `starttls` is its base class for TLS, and `sending` is the base class
  of that one, for sending.
- `data` is what can be written.
- `lingering` closes a socket without a loss.
- `tls` is the TLS of `listenSSL` and `startTLS`.
- `loop` is uvloop's event loop, except that it watches file descriptors as asyncio's does.
"""
