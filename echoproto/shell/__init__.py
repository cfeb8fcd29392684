"""The shell: what the user sees and types, on prompt_toolkit.

- `app` joins a connector, a session and a screen. `connector` opens the connections, one after the
  other, and `conversation` runs the session on each.
- `session` is everything that the shell does, without a terminal. `outbox` has what waits to be
  sent, and `incoming` what the peer has sent, which `lines` splits into lines.
- `screen` is the terminal, which `renderer` draws. `parser` reads the keys, `keys` binds them, and
  `history` keeps what was typed. `view` turns bytes into text that is safe to show.
- `commands` is the table of the commands that the user types after Ctrl-], and `command_line` their
  language.
- `watcher` is the base class of features that only look on: `margin`, `silence`, `tls_advice` and
  `recording`.

This package imports `client` and `wire`, and never `server`. The command line (`cli`) starts it.
"""
