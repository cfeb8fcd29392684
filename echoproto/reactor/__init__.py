"""A Twisted reactor on uvloop, for any Twisted program. It knows nothing of echo.

`install` puts it in place (`twistd --reactor uvloop`), `reactor` is the reactor, `port` listens,
`transport` is a connection, `loop` is uvloop's event loop with asyncio's own way to watch files.
"""
