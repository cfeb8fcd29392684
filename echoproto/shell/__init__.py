"""The shell: what the user sees and types, on prompt_toolkit.

- `app` joins a connector, a session and a screen. `connector` opens the connections, one after the
  other.
- `session` is everything that the shell does, without a terminal. `lines` splits what the peer
  sends into lines.
- `screen` is the terminal, which `renderer` draws. `parser` reads the keys, `keys` binds them, and
  `history` keeps what was typed. `view` turns bytes into text that is safe to show.
- `commands` is the command line that Ctrl-] opens.
- `tls_advice` watches for servers that may wait for TLS.

This package imports `client` and `wire`, and never `server`. The command line (`cli`) starts it.
"""
