"""The server, on Twisted: protocol, factory, service. Knows `wire`, not `client` or `shell`."""
