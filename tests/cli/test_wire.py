"""-x, -o and --pcap on the command line: what is written, where, and what is wrong."""

from __future__ import annotations

import os
import re
import signal
import socket

import pytest

from peers import peer, tls_peer
from support import (
    BIN,
    DEADLINE,
    echoproto,
    eventually,
    matching,
    program,
    receive_all,
    receive_exactly,
    run,
    start,
)
from terminal import Terminal

ECHOPROTO = BIN / "echoproto"
CONVERSATION = [
    matching(r"\* connected from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+"),
    "> sent 6 bytes",
    matching(r"  0000  68 65 6c 6c 6f 0a +hello\\n"),
    "> end: we send no more (FIN)",
    "< received 6 bytes",
    matching(r"  0000  68 65 6c 6c 6f 0a +hello\\n"),
    "< end: the peer sends no more (FIN)",
    "* closed",
]


def echo(sock):
    data = receive_exactly(sock, 6)
    assert receive_all(sock) == b""
    sock.sendall(data)


def without_times(text):
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in text.splitlines()]


@pytest.mark.parametrize("command", [[], ["send"]], ids=" ".join)
def test_x_shows_the_wire_on_standard_error(command):
    with peer(echo) as (_, port):
        done = echoproto(*command, "-x", f"127.0.0.1:{port}", input=b"hello\n")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert without_times(done.stderr.decode()) == CONVERSATION


@pytest.mark.parametrize("command", [[], ["send"]], ids=" ".join)
def test_o_and_pcap_write_the_wire_to_files(command, tmp_path):
    files = ["-o", "view.txt", "--pcap", "wire.pcap"]
    with peer(echo) as (_, port):
        done = echoproto(*command, *files, f"127.0.0.1:{port}", input=b"hello\n", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")
    date, *lines = without_times((tmp_path / "view.txt").read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \(UTC[+-]\d\d:\d\d\)", date)
    assert lines == CONVERSATION
    assert (tmp_path / "wire.pcap").read_bytes().count(b"hello\n") == 2
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.interop
def test_tshark_reads_what_was_decrypted(certificate, tmp_path):
    path = tmp_path / "wire.pcap"
    with tls_peer(certificate, echo) as target:
        options = ["-k", "--shutdown", "0", "--pcap", path]
        done = echoproto("send", *options, str(target), input=b"hello\n")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    followed = run(program("tshark"), "-r", path, "-q", "-z", "follow,tcp,raw,0")
    assert re.findall(rb"^\t?68656c6c6f0a$", followed.stdout, re.MULTILINE) == [
        b"68656c6c6f0a",
        b"\t68656c6c6f0a",
    ]


def test_ping_has_them_too(server, tmp_path):
    done = echoproto("ping", "-c", "1", "-x", "-o", tmp_path / "o", f"127.0.0.1:{server.port}")
    assert done.returncode == 0
    assert b"seq=1 " in done.stdout
    shown = without_times(done.stderr.decode())
    assert shown[0] == CONVERSATION[0]
    assert without_times((tmp_path / "o").read_text())[1:] == shown


def test_telnet_is_in_words_if_the_pipe_speaks_it():
    def serve(sock):
        sock.sendall(b"\xff\xfb\x01")
        receive_exactly(sock, 3 * (scheme == "telnet"))

    for scheme, words in ("telnet", ["IAC WILL ECHO", "IAC DONT ECHO"]), ("tcp", []):
        with peer(serve) as (_, port):
            done = echoproto("send", "-x", "--no-shutdown", f"{scheme}://127.0.0.1:{port}")
        assert re.findall("IAC .*", done.stderr.decode()) == words


def test_what_is_written_is_there_when_the_program_is_killed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        with start(ECHOPROTO, "-o", "view", "--pcap", "pcap", target, cwd=tmp_path) as process:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"hello")
                assert process.stdout.read(5) == b"hello"
                process.send_signal(signal.SIGKILL)
                process.wait(DEADLINE)
    assert without_times((tmp_path / "view").read_text())[2] == "< received 5 bytes"
    assert (tmp_path / "pcap").read_bytes().endswith(b"hello")


def test_a_disk_that_is_full_ends_the_file_and_not_the_connection():
    with peer(echo) as (_, port):
        words = ["-o", "/dev/full", "-x", f"127.0.0.1:{port}"]
        done = echoproto(*words, input=b"hello\n")
    first, *rest = done.stderr.decode().splitlines()
    said = "echoproto: /dev/full: No space left on device; what follows is not in that file"
    assert said == first
    assert without_times("\n".join(rest)) == CONVERSATION
    assert (done.returncode, done.stdout) == (2, b"hello\n")


def test_a_view_that_nobody_reads_is_no_error():
    with peer(echo) as (_, port):
        line = 'exec "$0" send -x "$1" 2>/dev/full'
        done = run("sh", "-c", line, ECHOPROTO, f"127.0.0.1:{port}", input=b"hello\n")
    assert (done.returncode, done.stdout) == (0, b"hello\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "-"], "Error: -o takes the name of a file: standard output has only what the ser"),
        (["--pcap", ""], "Error: --pcap takes the name of a file: "),
        (["-o", "a", "--pcap", "./a"], "Error: -o a: this file is also the file of --pcap"),
        (["-o", "in"], "Error: -o in: this file is the input"),
        (["--pcap", "out"], "Error: --pcap out: this file is the output"),
        (["-o", "no/file"], "echoproto: no/file: No such file or directory"),
        (["-o", "."], "echoproto: .: Is a directory"),
    ],
)
@pytest.mark.parametrize("command", ["connect", "send"])
def test_a_file_that_cannot_be_is_said_before_it_connects(tmp_path, command, words, message):
    (tmp_path / "in").write_text("precious")
    with (tmp_path / "in").open() as data, (tmp_path / "out").open("w") as out:
        done = start(ECHOPROTO, command, *words, "127.0.0.1:1", stdin=data, stdout=out,
                     stderr=-1, cwd=tmp_path)  # fmt: skip
        with done as process:
            said = process.stderr.read().decode()
            assert process.wait(DEADLINE) == 2
    assert said.splitlines()[-1].startswith(message)
    assert (tmp_path / "in").read_text() == "precious"


def test_no_file_that_is_sent_is_overwritten(tmp_path):
    (tmp_path / "in").write_text("precious")
    done = echoproto("send", "--pcap", "in", "127.0.0.1:1", "in", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == "Error: --pcap in: this file is the input"
    assert (tmp_path / "in").read_text() == "precious"


def test_wrong_usage_leaves_a_file_as_it_was(tmp_path):
    (tmp_path / "old").write_text("precious")
    for command in ("connect", "send", "ping"):
        assert echoproto(command, "-k", "-o", "old", "localhost:1", cwd=tmp_path).returncode == 2
    assert (tmp_path / "old").read_text() == "precious"


def test_in_a_terminal_each_event_begins_a_line_of_its_own(tmp_path):
    (tmp_path / "in").write_bytes(b"hello\x1b")
    with peer(echo) as (_, port):
        command = [ECHOPROTO, "send", "-x", f"127.0.0.1:{port}", tmp_path / "in"]
        with Terminal(*command, env={"NO_COLOR": ""}) as terminal:
            lines = without_times("\n".join(terminal.wait_for("[status 0]")))
    assert lines[-5:-1] == [
        matching(r"  0000  68 65 6c 6c 6f 1b +hello\\e"),
        "hello",
        "< end: the peer sends no more (FIN)",
        "* closed",
    ]


def test_the_shell_writes_and_shows_the_wire(server, tmp_path):
    path = tmp_path / "view"
    target = f"127.0.0.1:{server.port}"
    with Terminal(ECHOPROTO, "-x", "-o", path, target) as terminal:
        terminal.wait_for(">")
        terminal.type("hello")
        terminal.press("Enter")
        row = r"  0000  68 65 6c 6c 6f 0d 0a                              hello\r\n"
        eventually(lambda: terminal.lines().count(row) == 2, terminal.lines)
        terminal.press("C-d")
        terminal.wait_for("[status 0]")
    assert path.read_text().splitlines().count(row) == 2
    assert path.read_text().endswith("* closed\n")


def test_a_disk_that_is_full_does_not_end_the_shell(server):
    with Terminal(ECHOPROTO, "-o", "/dev/full", f"127.0.0.1:{server.port}") as terminal:
        terminal.wait_for(">")
        terminal.type("hello")
        terminal.press("Enter")
        terminal.wait_for("> hello", "hello", ">")
        assert any("/dev/full: No space left on device" in line for line in terminal.lines())
        terminal.press("C-d")
        terminal.wait_for("[status 2]")


def test_colours_are_for_terminals_that_want_them():
    master, slave = os.openpty()
    for wants, environment in (True, {}), (False, {"NO_COLOR": "1"}), (False, {"TERM": "dumb"}):
        env = {**os.environ, "TERM": "xterm", **environment}
        if wants:
            env.pop("NO_COLOR", None)
        with peer(echo) as (_, port):
            words = [ECHOPROTO, "send", "-x", f"127.0.0.1:{port}"]
            with start(*words, stderr=slave, env=env) as process:
                process.communicate(b"hello\n", DEADLINE)
        assert (b"\x1b[" in os.read(master, 65536)) is wants
    os.close(master)
    os.close(slave)
