"""The client, on asyncio: it connects, sends and receives.

- `target` parses what a user writes, of which `names` checks the host, and `opening` connects to
  it. `network_errors` turns every failure of the network into a NetworkError, to which `hints`
  adds what else is there; `tls` has the context of TLS, and the reasons for which a handshake
  fails.
- `notice` says what is being connected to, and `backoff` how long to wait before the next attempt.
- `connection` is the connection that programs use: `connect` and `ClientConnection`. It stands on
  `stream`, which moves the bytes, and `descriptors`, which asks the system about them.
- `pipe`, `ping` and `replay` run on a `ClientConnection`.
- `bench` runs a load, for which `limits` checks the system: `load` is one connection of it, and
  `session_load` one that runs a session file. `latency` records the times, and `stalls` those in
  which the client itself stood still.

This package imports `wire`, and never Twisted. The shell and the command line stand above it.
"""
