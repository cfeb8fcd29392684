"""The programs of the lecture on sockets, in docs/examples/, with ours on the other side."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path

from support import BIN, DEADLINE, run, start
from terminal import Terminal

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_the_client_that_sends_no_line_end_and_waits(server):
    words = [f"word{number}" for number in range(200)]
    done = run(sys.executable, EXAMPLES / "bytes_client.py", str(server.port), *words)
    assert done.stderr == b""
    assert done.stdout.decode().split() == words


def test_the_client_that_wraps_the_socket_in_text_files(server):
    texts = ["hello", "žluťoučký kůň", ""]
    done = run(sys.executable, EXAMPLES / "text_client.py", str(server.port), *texts)
    assert done.stderr == b""
    assert done.stdout.decode().splitlines() == [repr(f"{text}\r\n") for text in texts]


@contextmanager
def the_server():
    """The lecture's server of one connection; gives its port, then sees that it has ended well."""
    with start(sys.executable, EXAMPLES / "one_connection_server.py", "0") as process:
        yield int(process.stdout.readline().split()[-1])
        assert process.wait(DEADLINE) == 0
        assert b"the peer has left" in process.stdout.read()


def test_our_pipe_on_the_lecture_s_server():
    with the_server() as port:
        done = run(BIN / "echoproto", "127.0.0.1", str(port), input=b"no line end")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"no line end", b"")


def test_our_shell_on_the_lecture_s_server(tmp_path):
    with (
        the_server() as port,
        Terminal(
            BIN / "echoproto", "127.0.0.1", port, env={"XDG_STATE_HOME": str(tmp_path)}
        ) as terminal,
    ):
        terminal.wait_for(
            f"Connected to 127.0.0.1:{port}. Ctrl-D quits, Ctrl-] opens the command line.", ">"
        )
        terminal.type("hello")
        terminal.press("Enter")
        terminal.wait_for("> hello", "hello", ">")
        terminal.press("C-d")
        terminal.wait_for("[status 0]")
