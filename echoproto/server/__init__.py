"""The server, on Twisted: protocol, factory, service. It uses `wire`, never `client` or `shell`."""
