"""A session file as the load of a bench."""

from __future__ import annotations

import json
import threading

import pytest

from bench_peer import ECHOPROTO, bench, echo, peer
from echoproto.client.session_load import SessionLoad
from echoproto.wire.session_file import parse
from support import receive_all, run

pytestmark = pytest.mark.long

FIRST = "# echoproto session 1\n"


@pytest.fixture
def session(tmp_path):
    """Writes a session file, and gives its path."""

    def write(text):
        path = tmp_path / "a.session"
        path.write_text(FIRST + text)
        return path

    return write


def load_of(text):
    return SessionLoad(parse((FIRST + text).encode(), "a.session"), {})


def benched(path, serve, *words, connections=2):
    """The result, what is said, and how many connections the server has had."""
    served = []

    def count(sock):
        served.append(sock)
        serve(sock)

    with peer(count) as target:
        status, result, said = bench(
            target, "--session", path, "-c", str(connections), "-d", "0.2", *words
        )
    assert status == bool(said)
    return result, said.removeprefix(f"echoproto: {target}: "), len(served)


def mail_server(sock):
    sock.sendall(b"220 hi\r\n")
    with sock.makefile("rb") as lines:
        for line in lines:
            sock.sendall(b"221 bye\r\n" if line == b"QUIT\r\n" else b"250 id=7\r\n")
            if line == b"QUIT\r\n":
                return


def test_a_session_runs_again_and_again_on_each_connection(session):
    path = session("> a ${x}\n> b\n< a ${x}\n<~ (?P<y>.)\n> ${y}\n< b")
    result, said, served = benched(path, echo(), "--set", "x=1")
    assert (said, served) == ("", 2)
    assert result["messages"] > served
    assert result["bytes"] == result["messages"] * len(b"a 1\r\nb\r\nb\r\n")
    assert result["latency"]["p50"] > 0
    assert (result["session"], result["errors"], result["lost_bytes"]) == (str(path), {}, 0)


@pytest.mark.parametrize(
    ("text", "serve"),
    [
        ("< 220 hi\n> x\n< 250 id=7\n> QUIT\n< 221 bye\n<! close", mail_server),
        ("<~ 220 .*\n> x\n<~ .*", mail_server),
        ("> a\n>! half-close\n< a\n<! close", lambda sock: sock.sendall(receive_all(sock))),
    ],
)
def test_a_session_that_begins_or_ends_a_connection_has_a_new_one_for_each_run(
    session, text, serve
):
    result, said, served = benched(session(text), serve)
    assert said == ""
    assert 2 < result["messages"] <= served <= result["messages"] + 2


def test_a_difference_ends_its_connection_and_is_an_error(session):
    path = session("> a ${pw}\n< b ${pw}")
    result, said, _ = benched(path, echo(), "--set", "pw=hunter2")
    why = f"{path}:3: received '< a ${{pw}}' instead of '< b ${{pw}}'"
    assert (result["errors"], result["messages"]) == ({why: 2}, 0)
    assert said == f"{why} (2 of 2 connections)\n"


def test_a_connection_that_is_lost_is_an_error(session):
    def close(sock):
        sock.recv(100)

    result, said, _ = benched(session("> a\n< a"), close)
    assert result["errors"] == {"closed by the server": 2}
    assert said.startswith("closed by the server")


def test_a_server_that_is_gone_at_the_next_run_is_an_error(session):
    lock, served = threading.Lock(), []

    def once(sock):
        with lock:
            served.append(sock)
            is_first = len(served) == 1
        if is_first:
            sock.sendall(b"hi\r\n")
            receive_all(sock)

    result, _, _ = benched(session("< hi\n> a"), once, connections=1)
    assert (result["messages"], result["errors"]) == (1, {"closed by the server": 1})


def test_an_answer_that_never_comes_is_lost(session):
    def idle(sock):
        receive_all(sock)

    result, said, _ = benched(session("> a\n< abc"), idle, connections=1)
    assert (result["messages"], result["lost_bytes"]) == (0, 5)
    assert said == "bytes lost: 5, which did not come back in 5 seconds\n"


def test_the_target_may_be_that_of_the_file_and_the_table_names_the_file(session):
    with peer(echo()) as target:
        path = session(f"target {target}\n> a\n< a")
        done = run(ECHOPROTO, "bench", "--session", path, "-c", "1", "-d", "0.1")
    assert (done.returncode, done.stderr) == (0, b"")
    first = f"tcp://{target}: 1 connections, a message is one run of {path}, 0.1 s"
    assert done.stdout.decode().splitlines()[0] == first


def test_tls_is_spoken(session, tls_server):
    target = f"tls://localhost:{tls_server.port}"
    for text in "> a\n< a", "> a\n< a\n<*\n> b\n< b":
        done = run(
            ECHOPROTO, "bench", target, "-k", "--session", session(text), "-d", "0.1", "--json"
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout)["messages"] > 0


def test_what_is_no_load_is_refused():
    with pytest.raises(ValueError, match="it expects nothing, so that there is nothing to meas"):
        load_of("> a\n< \\\n<*")
    for text in ">! AYT\n< a", "telnet always\n> a\n< a":
        with pytest.raises(ValueError, match="it is a session of telnet, which bench does not"):
            load_of(text)
    assert not load_of("telnet auto\n> a\n<*\n< a").needs_new_connections
    assert load_of("<*\n< a").needs_new_connections


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rate", "5"], "Error: --rate has no effect with --session, which has its own lines"),
        (["--depth", "5"], "Error: --depth has no effect with --session, which has its own lines"),
        (["--set", "x=1"], "Error: --set x: no session has ${{x}}"),
        (["tls://localhost:1"], "Error: --session {}: bench cannot half-close TLS"),
        ([], "Error: {} names no target: give TARGET after it"),
    ],
)
def test_options_that_have_no_effect_are_refused(session, words, message):
    path = session("> a\n< a\n>! half-close")
    done = run(ECHOPROTO, "bench", "--session", path, *words)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == message.format(path)


def test_values_need_a_session():
    done = run(ECHOPROTO, "bench", "localhost:1", "--set", "x=1")
    assert done.returncode == 2
    assert done.stderr.decode().endswith("Error: --set has an effect only with --session\n")
