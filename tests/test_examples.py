"""The programs in docs/examples/ and in README, as they stand there.

The lecture's are in tests/interop/.
"""

from __future__ import annotations

import re
import signal
import socket
import sys
from pathlib import Path

import pytest
from twisted.internet.testing import StringTransport

from echoproto import EchoProtocol, LineFactory
from support import BIN, DEADLINE, Output, connect, receive_exactly, run, start

TOP = Path(__file__).parents[1]
EXAMPLES = TOP / "docs" / "examples"


def test_a_line_server_of_your_own():
    with start(sys.executable, EXAMPLES / "shout.py", "0") as process:
        output = Output(process.stdout)
        (match,) = output.wait_for(r"LineFactory starting on (\d+)")
        with connect(int(match[1])) as sock:
            sock.sendall(b"hello\nand again\r")
            assert receive_exactly(sock, 18) == b"HELLO\r\nAND AGAIN\r\n"
        output.wait_for(r"\[1\] .* disconnected: 2 lines, 16 bytes, .*: closed by the client")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
        assert "Traceback" not in output.wait_for_end()


@pytest.mark.parametrize("name", ["login.py", "one_connection_server.py", "shout.py"])
def test_a_port_that_is_taken_is_one_line_and_status_1(name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(sys.executable, EXAMPLES / name, str(port))
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert str(port) in line
    assert "Address already in use" in line
    assert b"Traceback" not in done.stdout


def test_every_server_among_the_examples_is_tested_for_that():
    servers = [path.name for path in EXAMPLES.glob("*.py") if ".listen(" in path.read_text()]
    assert sorted(servers) == ["login.py", "one_connection_server.py", "shout.py"]


PAGES = ["README.md", "docs/architecture.md", "docs/reference.md"]


def code_in(page):
    return re.findall(r"```python\n(.*?)```", (TOP / page).read_text(), re.DOTALL)


@pytest.mark.long
def test_the_code_in_the_documents_passes_mypy_strict(tmp_path):
    files = [
        (f"{Path(page).stem}_{n}.py", code)
        for page in PAGES
        for n, code in enumerate(code_in(page))
    ]
    assert len(files) == len(PAGES)
    for name, code in files:
        (tmp_path / name).write_text(code)
    done = run(BIN / "mypy", "--strict", *(name for name, _ in files), cwd=tmp_path)
    assert done.returncode == 0, done.stdout.decode()


def test_the_client_in_the_reference_gets_its_line_back(server):
    (code,) = code_in("docs/reference.md")
    code = code.replace("localhost:2020", f"127.0.0.1:{server.port}")
    done = run(sys.executable, "-c", code)
    assert (done.returncode, done.stdout) == (0, b"b'hello\\n'\n"), done.stderr.decode()


def test_the_limit_in_the_architecture_refuses_what_is_too_much():
    (code,) = code_in("docs/architecture.md")
    names = {}
    exec(code, names)
    registry = names["registry"]
    factory = LineFactory(EchoProtocol, registry)
    transports = [StringTransport() for _ in range(101)]
    for transport in transports:
        factory.buildProtocol(None).makeConnection(transport)
    assert [transport.disconnecting for transport in transports] == [False] * 100 + [True]
