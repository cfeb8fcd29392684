"""The programs that people connect with: each typed into, in a real terminal, and in a pipe."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import BIN, DEADLINE, Output, has_ipv6, program, run, serve, start
from terminal import Terminal

TIMES = 10
"""How often a program is run: test_echo.py makes the same connections itself, 200 of each kind."""

# How each is called with a host and a port, for a person at a terminal.
CLIENTS = {
    "ncat": ["ncat", "{host}", "{port}"],
    "ncat -C": ["ncat", "-C", "{host}", "{port}"],
    "nc": ["nc.openbsd", "{host}", "{port}"],
    "socat": ["socat", "-", "TCP:{host}:{port}"],
    "plink": ["plink", "-raw", "-P", "{port}", "{host}"],
    "telnet": ["telnet", "{host}", "{port}"],
}

# Those that tell the server when their input ends, and then wait for the rest.
PIPES = {
    "ncat": {
        "tcp": ["ncat", "{host}", "{port}"],
        "unix": ["ncat", "-U", "{path}"],
    },
    "nc -N": {
        "tcp": ["nc.openbsd", "-N", "{host}", "{port}"],
        "unix": ["nc.openbsd", "-N", "-U", "{path}"],
    },
    "socat": {
        "tcp": ["socat", "-t", "30", "-", "TCP:{host}:{port}"],
        "unix": ["socat", "-t", "30", "-", "UNIX-CONNECT:{path}"],
    },
    "plink": {"tcp": ["plink", "-raw", "-batch", "-P", "{port}", "{host}"]},
    "echoproto": {
        "tcp": ["{bin}/echoproto", "{host}", "{port}"],
        "unix": ["{bin}/echoproto", "unix://{path}"],
    },
}


def command(words, host="127.0.0.1", **where):
    words = [word.format(host=host, bin=BIN, **where) for word in words]
    return [program(words[0]), *words[1:]]


@pytest.fixture(scope="module")
def on_unix(tmp_path_factory):
    path = tmp_path_factory.mktemp("unix") / "echo.sock"
    with serve(listen=[f"unix:{path}"]):
        yield path


@pytest.fixture(scope="module")
def on_tcp6():
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    with serve(listen=["[::1]:0"]) as running:
        yield running


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_typed_comes_back_line_by_line(client, server):
    with Terminal(*command(CLIENTS[client], port=server.port)) as terminal:
        if client == "telnet":
            terminal.wait_for("Escape character is '^]'.")
        for line in ("hello", "and again, wörld"):
            terminal.type(line)
            terminal.press("Enter")
            # What was typed, as the terminal shows it, and the echo.
            terminal.wait_for(line, line)


def every_time(words, data, times=TIMES):
    """Run it many times, a few at once; how often `data` came back."""
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: run(*words, input=data), range(times)))
    return sum((one.returncode, one.stdout) == (0, data) for one in done)


@pytest.mark.parametrize("client", ["ncat", "nc -N"])
@pytest.mark.parametrize("listener", ["tcp", "tcp6", "unix"])
def test_hello_without_a_line_end_comes_back_every_time(client, listener, request):
    if listener == "tcp":
        where = {"port": request.getfixturevalue("server").port}
    elif listener == "tcp6":
        where = {"port": request.getfixturevalue("on_tcp6").port, "host": "::1"}
    else:
        where = {"path": request.getfixturevalue("on_unix")}
    words = command(PIPES[client][listener.removesuffix("6")], **where)
    assert every_time(words, b"hello") == TIMES


@pytest.mark.parametrize("client", PIPES)
def test_what_is_piped_comes_back(client, server, on_unix):
    for data in (b"hello", b"hello\n", b"one\ntwo\n\n"):
        for words in PIPES[client].values():
            whole = command(words, port=server.port, path=on_unix)
            assert every_time(whole, data, times=3) == 3


@pytest.mark.parametrize("client", ["ncat", "nc -N", "socat"])
def test_a_file_that_is_piped_comes_back_byte_for_byte(client, server):
    data = bytes(range(256)) * 8192
    words = command(PIPES[client]["tcp"], port=server.port)
    assert run(*words, input=data).stdout == data


def test_telnet_in_a_pipe_gets_its_echo(server):
    # telnet leaves at the end of its input, so that is kept open until the echo has come; and to
    # a pipe it would print only when it leaves, so it prints to a terminal.
    words = command(CLIENTS["telnet"], port=server.port)
    ours, its = os.openpty()
    with (
        os.fdopen(ours, "rb") as screen,
        start(*words, stdout=its) as process,
    ):
        os.close(its)
        output = Output(screen)
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        output.wait_for("^hello\r$")
        process.stdin.close()
        process.wait(DEADLINE)
        output.wait_for_end()


def test_openssl_s_client_gets_its_echo_before_it_leaves(tls_server):
    words = [
        program("openssl"),
        "s_client",
        "-quiet",
        "-no_ign_eof",
        "-connect",
        f"127.0.0.1:{tls_server.port}",
    ]
    with start(*words, stderr=subprocess.DEVNULL) as process:
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"hello\n"
        process.stdin.close()
        process.wait(DEADLINE)


def test_ncat_on_tls_gets_its_echo_every_time(tls_server):
    words = [program("ncat"), "--ssl", "127.0.0.1", str(tls_server.port)]
    assert every_time(words, b"hello") == TIMES
