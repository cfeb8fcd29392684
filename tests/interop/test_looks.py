"""What the styles look like in a real terminal, with colours and without."""

from __future__ import annotations

import socket

import pytest

from support import BIN, DEADLINE, receive_exactly
from terminal import Terminal, has

COLOURS = [{}, {"NO_COLOR": "1"}, {"TERM": "vt100"}, {"TERM": "linux"}]


def look(screen, row, text):
    """How the first character of `text` looks in the uppermost row that begins with `row`."""
    y = [each.startswith(row) for each in screen.rows].index(True)
    return screen.buffer[y][row.index(text)]._replace(data="")


@pytest.mark.parametrize("env", COLOURS, ids=lambda env: " ".join(env.values()) or "colours")
def test_a_suggestion_is_not_like_what_is_typed_and_a_backslash_not_like_an_escape(env, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        host, port = listener.getsockname()
        variables = [f"{name}={value}" for name, value in env.items()]
        command = ["env", *variables, BIN / "echoproto", host, port]
        with Terminal(*command, env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(DEADLINE)
                terminal.enter(r"typed \x01 first")
                assert receive_exactly(sock, 18) == b"typed \\x01 first\r\n"
                sock.sendall(b"came \x01 text\r\n")
                terminal.see(has(r"came \x01 text"))
                terminal.type("type")
                screen = terminal.see(lambda screen: screen.rows[-1] == r"> typed \x01 first")
    assert screen.look("first") != screen.look("type")._replace(data="first")
    escape, plain = (look(screen, r"came \x01 text", text) for text in ("\\", "came"))
    sent = look(screen, r"> typed \x01 first", "\\")
    assert escape not in (plain, sent)
    if env:
        cells = [cell for row in screen.buffer.values() for cell in row.values()]
        assert {(cell.fg, cell.bg) for cell in cells} == {("default", "default")}
