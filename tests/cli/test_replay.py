"""`echoproto replay` on the command line: what it prints, its status, and its options."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from xml.etree import ElementTree as ET

import pytest

from pings import peer
from support import BIN, DEADLINE, echoproto, matching, receive_all, start

FIRST = "# echoproto session 1\n"
HELLO = "eol lf\n> hello\n< hello\n>! half-close\n<! close\n"


@pytest.fixture
def session(tmp_path):
    """Writes a session file, and gives its path."""

    def write(text, name="a.session"):
        path = tmp_path / name
        path.write_text(FIRST + text)
        return path

    return write


def replay(*words, **kwargs):
    done = echoproto("replay", *words, **kwargs)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


def test_a_session_that_is_as_recorded_is_one_line_and_status_0(server, session):
    path = session(f"target 127.0.0.1:{server.port}\n{HELLO}")
    assert replay(path) == (
        0,
        [],
        [matching(rf"{path}: as recorded \(1 line sent, 1 expected; \d+\.\d{{3}} s\)")],
    )


def test_the_target_may_be_given_and_replaces_that_of_the_file(server, session):
    for text in HELLO, f"target 127.0.0.1:1\n{HELLO}":
        assert replay(session(text), "127.0.0.1", str(server.port))[0] == 0


def test_a_difference_is_printed_and_status_1(server, session):
    path = session("> hello\n< Hello")
    assert replay(path, f"127.0.0.1:{server.port}") == (
        1, [f"{path}:3: it differs", "  -< Hello", "  +< hello"], [],
    )  # fmt: skip


def test_several_files_are_replayed_and_counted(server, session, tmp_path):
    good, bad = session(HELLO), session("> a\n< b", "b.session")
    status, printed, said = replay(
        good, bad, good, f"127.0.0.1:{server.port}", "--junit", tmp_path / "junit.xml"
    )
    assert (status, printed) == (1, [f"{bad}:3: it differs", "  -< b", "  +< a"])
    assert len(said) == 3
    assert said[-1] == "2 of 3 sessions are as recorded"
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()
    assert [(case.attrib["name"], len(case)) for case in suite] == [
        (str(good), 0), (str(bad), 1), (str(good), 0),
    ]  # fmt: skip


def test_a_server_that_is_not_there_is_an_error_in_junit_too(session, tmp_path):
    path = session(HELLO)
    status, printed, said = replay(path, "127.0.0.1:1", "--junit", tmp_path / "junit.xml")
    why = f"{path}: cannot connect to 127.0.0.1:1: Connection refused"
    assert (status, printed, said) == (1, [], [f"echoproto: {why}"])
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()
    assert suite[0][0].tag == "error"
    assert suite[0][0].text == why


def test_the_time_limit_is_that_of_the_option(server, session):
    path = session("> a\n< a\n< b")
    status, printed, _ = replay(path, f"127.0.0.1:{server.port}", "--timeout", "0.5")
    assert (status, printed[0]) == (1, f"{path}:4: it did not come in 0.5 seconds")


def test_it_is_repeated_on_new_connections_up_to_the_first_difference(server, session):
    path = session(HELLO)
    status, _, said = replay(path, f"127.0.0.1:{server.port}", "--repeat", "5")
    assert (status, said) == (0, [matching(rf"{path}: as recorded \(5 times, each 1 line .*")])
    server.log.wait_for("] 127.0.0.1:.* connected", 5)
    path = session("> a\n< b")
    status, printed, _ = replay(path, f"127.0.0.1:{server.port}", "--repeat", "5")
    assert (status, printed[0]) == (1, "(at repetition 1 of 5)")


def test_values_are_set_by_the_user(server, session):
    path = session("set user alice\n> ${user} ${pw}\n< bob secret\ntimeout 0.01\n< x")
    words = [path, f"127.0.0.1:{server.port}", "--set", "user=bob"]
    status, printed, _ = replay(*words, "--set", "pw=secret")
    assert (status, printed[0]) == (1, f"{path}:6: it did not come in 0.01 seconds")
    assert replay(*words, "--set", "pw=Secret")[1][2] == "  +< bob ${pw}"


@pytest.mark.parametrize("scheme", ["tls", "telnet", "telnets"])
def test_it_speaks_tls_and_telnet(server, tls_server, certificate, session, scheme):
    port = (server if scheme == "telnet" else tls_server).port
    env = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    telnet = ">! AYT\n<*\n< [yes, the echo server is here]\n" if scheme != "tls" else ""
    path = session(f"{telnet}> hello\n< hello")
    target = f"{scheme}://localhost:{port}"
    assert replay(path, target, env=env)[:2] == (0, [])
    if scheme != "telnet":
        assert replay(path, target)[0] == 1
        assert replay(path, target, "-k")[:2] == (0, [])


def test_an_option_that_has_no_effect_is_an_error(server, session):
    path = session(HELLO)
    status, _, said = replay(path, f"127.0.0.1:{server.port}", "-k")
    assert (status, said[-1][:37]) == (2, "Error: -k has an effect only on TLS, ")
    status, _, said = replay(path, f"telnet://127.0.0.1:{server.port}", "--telnet", "never")
    assert (status, said[-1][:39]) == (2, "Error: --telnet never contradicts telne")


def test_results_that_could_not_be_written_are_an_error_before_the_replay(session, tmp_path):
    path = session(HELLO)
    for file, why in [
        (path, "this file is a session to replay"),
        (tmp_path / "no" / "junit.xml", f"there is no folder {tmp_path}/no"),
    ]:
        status, _, said = replay(path, "127.0.0.1:1", "--junit", file)
        assert (status, said[-1]) == (2, f"Error: --junit {file}: {why}")
    status, _, said = replay(path, "127.0.0.1:1", "--junit", "")
    assert (status, said[-1]) == (2, "Error: --junit takes the name of a file")


def test_a_file_on_a_disk_that_is_full_is_named(session, server):
    path = session(HELLO)
    for option in ("--junit", "--pcap"):
        status, _, said = replay(path, f"127.0.0.1:{server.port}", option, "/dev/full")
        assert (status, said[-1]) == (2, "echoproto: /dev/full: No space left on device")


def test_a_word_that_is_no_file_and_no_target_is_named(session):
    status, _, said = replay(session(HELLO), "b.session")
    start = "Error: 'b.session' is no file, and no target: b.session: the port is missing"
    assert (status, said[-1][: len(start)]) == (2, start)


def test_the_wire_is_shown_meanwhile(server, session, tmp_path):
    path = session(HELLO)
    target = f"127.0.0.1:{server.port}"
    status, printed, said = replay(path, target, "-x", "-o", tmp_path / "wire.txt")
    assert (status, printed) == (0, [])
    assert any(line.endswith("> sent 6 bytes") for line in said)
    assert "< received 6 bytes" in (tmp_path / "wire.txt").read_text()
    status, _, said = replay(path, target, "-o", path)
    assert (status, said[-1]) == (2, f"Error: -o {path}: this file is the input")


def test_ctrl_c_ends_it_with_130(session):
    asked = threading.Event()

    def serve(lines, sock):
        lines.readline()
        asked.set()
        receive_all(sock)

    with peer(serve) as target:
        words = [BIN / "echoproto", "replay", session("> hello\n< hello"), target]
        with start(*words, stderr=subprocess.PIPE) as process:
            assert asked.wait(DEADLINE)
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE) == 130
            assert process.stderr.read() == b""
