"""A Twisted reactor on uvloop, for any Twisted program. It knows nothing of echo.

`reactor` is the reactor, and puts it in place (`twistd --reactor uvloop`); `port` listens;
`transport` is a connection, which sends with `sending` and goes on with TLS in `starttls`; `loop`
is uvloop's event loop with asyncio's own way to watch files; `tls` is the TLS of `listenSSL` and
`startTLS`.
"""
